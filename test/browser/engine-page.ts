import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { build } from "vite";
import type { StudioInfo, StudioOptions, WebDrawing } from "../../src/web/index.ts";
import { chromiumPath } from "../page/browser.ts";
import { serveFolders } from "./static-server.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const out = here("../../out/engine-page");

/** A picture that a browser drew. */
export interface BrowserPicture {
  readonly pixels: readonly number[];
  readonly latents: readonly number[];
  readonly seconds: number;
  readonly settings: string;
  readonly steps: number;
  readonly warnings: readonly string[];
  readonly longestPause: number;
}

/** The engine in a page of its own. */
export interface EnginePage extends AsyncDisposable {
  readonly page: Page;
  /** Address of the model's folder. */
  readonly model: string;
  open(options: StudioOptions): Promise<{ readonly info: StudioInfo; readonly files: readonly string[] }>;
  draw(drawing: WebDrawing): Promise<BrowserPicture>;
  leave(drawing: WebDrawing): Promise<{ readonly thrown: string; readonly next: number }>;
}

/** Chromium with WebGPU in software, which its command line must ask for. */
export function browserWithWebGpu(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumPath!,
    args: ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"],
  });
}

/** Builds the page; once is enough for all that a process does with it. */
export async function buildEnginePage(): Promise<void> {
  await build({
    configFile: false,
    root: here("engine"),
    base: "./",
    logLevel: "error",
    build: { outDir: out, emptyOutDir: true, target: "es2022" },
    worker: { format: "es" },
    resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "browser", "module", "import", "default"] },
  });
}

/** Opens the page that was built, with the shipped model behind it. */
export async function openEnginePage(browser: Browser, isolated = true): Promise<EnginePage> {
  const ort = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
  const server = await serveFolders({ "": out, models: here("../../models"), ort }, isolated);
  const context = await browser.newContext();
  const page = await context.newPage();
  page.on("pageerror", (error) => console.error(String(error)));
  await page.goto(server.url);
  await page.waitForFunction("globalThis.engine !== undefined");
  const call = <T>(name: string, ...values: readonly unknown[]): Promise<T> =>
    page.evaluate(`engine.${name}(${values.map((value) => JSON.stringify(value)).join(", ")})`) as Promise<T>;
  const model = `${server.url}models/fourstep-64`;
  return {
    page,
    model,
    open: (options) => call("open", model, { runtimeFiles: `${server.url}ort/`, ...options }),
    draw: (drawing) => call("draw", drawing),
    leave: (drawing) => call("leave", drawing),
    async [Symbol.asyncDispose]() {
      await context.close();
      await server[Symbol.asyncDispose]();
    },
  };
}
