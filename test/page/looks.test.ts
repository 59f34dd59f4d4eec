import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runServer, type TestServer } from "../running-server.ts";
import { chromiumPath, startBrowser, visit } from "./browser.ts";
import { buildPage, builtPage } from "./built-page.ts";
import { drawLine, drawn, patience, testPatience, warmUp } from "./page-reader.ts";

interface Finding {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** What axe finds that is serious or critical. */
async function findings(page: Page): Promise<readonly string[]> {
  await page.evaluate(await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"));
  const { violations } = (await page.evaluate("axe.run()")) as { violations: readonly Finding[] };
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}

const widerThanThePage = (page: Page): Promise<unknown> =>
  page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");

describe.skipIf(chromiumPath === undefined)("how the page looks, in Chromium", { timeout: testPatience }, () => {
  let server: TestServer;
  let browser: Browser;
  beforeAll(async () => {
    buildPage();
    [server, browser] = await Promise.all([runServer({ page: builtPage }), startBrowser()]);
    await warmUp(server.url);
  }, testPatience);
  afterAll(async () => {
    await browser.close();
    await server[Symbol.asyncDispose]();
  });

  it.each([
    ["a screen, light", { width: 1280, height: 900, colours: "light" }, "rgb(245, 244, 241)"],
    ["a screen, dark", { width: 1280, height: 900, colours: "dark" }, "rgb(18, 19, 22)"],
    ["a phone, light", { width: 390, height: 844, colours: "light", touch: true }, "rgb(245, 244, 241)"],
    ["a phone, dark", { width: 390, height: 844, colours: "dark", touch: true }, "rgb(18, 19, 22)"],
    ["a small phone", { width: 320, height: 640, colours: "light", touch: true }, "rgb(245, 244, 241)"],
  ] as const)("%s: fits, and axe finds nothing serious", async (_, options, ground) => {
    await using visiting = await visit(browser, server.url, options);
    const { page, errors } = visiting;
    await page.getByRole("heading", { name: "LoRAs" }).waitFor({ timeout: patience });
    expect(await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")).toBe(ground);
    expect(await findings(page)).toEqual([]);
    expect(await widerThanThePage(page)).toBe(0);
    await page.getByLabel("What to draw").fill("a fox");
    await drawn(page, /^a fox/);
    await page.getByRole("radio", { name: "Sketch" }).check();
    await drawLine(page, [0.3, 0.5], [0.7, 0.5]);
    await drawn(page, /from the sketch/);
    await page.getByRole("switch", { name: "Side by side with DDIM" }).click();
    await page.getByLabel("Steps of DDIM").press("Home");
    await page.getByText("More", { exact: true }).click();
    await page.getByRole("button", { name: "Keep in the gallery", exact: true }).click();
    expect(await findings(page)).toEqual([]);
    expect(await widerThanThePage(page)).toBe(0);
    expect(errors).toEqual([]);
  });

  it("has the colours that the user chooses, also after a reload", async () => {
    await using visiting = await visit(browser, server.url, { colours: "light" });
    const { page } = visiting;
    const ground = () => page.evaluate("getComputedStyle(document.documentElement).backgroundColor");
    const button = page.getByRole("button", { name: /^Colours/ });
    await button.click();
    await button.click();
    await expect.poll(ground).toBe("rgb(18, 19, 22)");
    await page.reload();
    await expect.poll(ground).toBe("rgb(18, 19, 22)");
  });

  it("draws with a finger", async () => {
    await using visiting = await visit(browser, server.url, { width: 390, height: 844, touch: true });
    const { page } = visiting;
    await page.getByRole("radio", { name: "Sketch" }).tap();
    await page.getByRole("application").tap({ position: { x: 100, y: 100 } });
    await drawn(page, /from the sketch/);
  });
});

describe.skipIf(chromiumPath === undefined)(
  "what the server asks of the page, in Chromium",
  { timeout: testPatience },
  () => {
    let browser: Browser;
    beforeAll(async () => {
      buildPage();
      browser = await startBrowser();
    });
    afterAll(() => browser.close());

    it("a key: the page asks for it, says that it is wrong, and goes on with the right one", async () => {
      await using server = await runServer({ page: builtPage, apiKey: "right", draws: false });
      await using visiting = await visit(browser, server.url);
      const { page, errors } = visiting;
      await page.getByRole("dialog").waitFor({ timeout: patience });
      expect(await findings(page)).toEqual([]);
      await page.getByLabel("Key", { exact: true }).fill("wrong");
      await page.getByLabel("Key", { exact: true }).press("Enter");
      await page.getByText("not the right one").waitFor({ timeout: patience });
      await page.getByLabel("Key", { exact: true }).fill("right");
      await page.getByRole("button", { name: "Go on" }).click();
      await page.getByRole("heading", { name: "LoRAs" }).waitFor({ timeout: patience });
      expect(await page.getByRole("dialog").count()).toBe(0);
      await page.reload();
      await page.getByRole("heading", { name: "LoRAs" }).waitFor({ timeout: patience });
      expect(errors).toEqual([]);
    });

    it("patience: the page says that the server is busy, and tries again by itself", async () => {
      await using server = await runServer({ page: builtPage, limits: { queue: 1 }, draws: false });
      const { id } = (await (await server.ask("/api/jobs", { prompt: "a" })).json()) as { id: string };
      await using visiting = await visit(browser, server.url);
      const { page } = visiting;
      await page.getByLabel("What to draw").fill("a fox");
      await page.getByText("The server is busy.").waitFor({ timeout: patience });
      await server.ask(`/api/jobs/${id}`, undefined, { method: "DELETE" });
      await page.getByText("Waiting for pictures of others").waitFor({ timeout: patience });
      await expect.poll(() => page.getByText("The server is busy.").count()).toBe(0);
    });
  },
);
