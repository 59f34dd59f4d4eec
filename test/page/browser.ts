import { existsSync } from "node:fs";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

/** Where Debian, and others, have Chromium; another place is named by CHROMIUM. */
const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** The browser that pages are tried in; undefined where none is installed. */
export const chromiumPath: string | undefined = [process.env["CHROMIUM"], ...places].find(
  (path) => path !== undefined && path !== "" && existsSync(path),
);

/** Starts the browser, without a window. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath!, args: ["--no-sandbox", "--disable-gpu"] });
}

/** What a page may want otherwise. */
export interface PageOptions {
  /** CSS pixels. */
  readonly width?: number;
  readonly height?: number;
  readonly colours?: "light" | "dark";
  readonly touch?: boolean;
}

/** A visit by somebody whose browser keeps nothing of others, with the page open. Its console's errors make it fail. */
export interface Visit extends AsyncDisposable {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What went wrong in the page, or was refused by its policy. */
  readonly errors: readonly string[];
}

export async function visit(browser: Browser, url: string, options: PageOptions = {}): Promise<Visit> {
  const { width = 1280, height = 900, colours = "light", touch = false } = options;
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: colours,
    hasTouch: touch,
    acceptDownloads: true,
  });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    // Requests to a server that was stopped are written there by the browser itself.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      errors.push(message.text());
  });
  await page.goto(url);
  return { page, context, errors, [Symbol.asyncDispose]: () => context.close() };
}
