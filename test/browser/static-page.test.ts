import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumPath, startBrowser, visit } from "../page/browser.ts";
import { bytesOf, drawn, pixelsOf, settingsOf } from "../page/page-reader.ts";
import { nodePicture } from "./node-picture.ts";
import { serveFolders } from "./static-server.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const out = `${root}out/static-page`;
const patience = 600_000;
const prompt = "What to draw";

// Skipped where there is no Chromium; name it with CHROMIUM where it is in another place.
describe.skipIf(chromiumPath === undefined)("the page without a server, in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    const vite = `${root}node_modules/vite/bin/vite.js`;
    const { status, stderr } = spawnSync(
      process.execPath,
      [vite, "build", "--config", "web/browser/vite.config.ts", "--outDir", out, "--logLevel", "error"],
      { cwd: root, encoding: "utf8" },
    );
    if (status !== 0) throw new Error(`The page cannot be built: ${stderr}`);
    browser = await startBrowser();
  }, patience);
  afterAll(() => browser?.close());

  it(
    "draws what is typed, Node's picture to the last byte but one, and tells of it",
    async () => {
      await using server = await serveFolders({ "": out });
      await using visiting = await visit(browser, `${server.url}?device=cpu&threads=2`);
      const { page, errors } = visiting;
      page.setDefaultTimeout(patience);
      await page.getByText("Drawn in this browser: WebAssembly, 2 threads").waitFor();
      await page.getByLabel(prompt).pressSequentially("a red apple", { delay: 30 });
      const image = await drawn(page, /^a red apple, seed/);
      const png = await bytesOf(image);
      const { prompt: told, settings } = await settingsOf(png);
      expect(told).toBe("a red apple <lora:lcm-lora:1>");
      const [width, height] = settings.get("Size")!.split("x").map(Number) as [number, number];
      const [seed, steps] = [Number(settings.get("Seed")), Number(settings.get("Steps"))];
      const node = await nodePicture({ prompt: "a red apple", seed, steps, size: { width, height } });
      const pixels = await pixelsOf(png);
      expect(pixels).toHaveLength(node.pixels.length);
      expect(Math.max(...pixels.map((x, i) => Math.abs(x - node.pixels[i]!)))).toBeLessThanOrEqual(1);
      // The page goes on while the worker draws: frames keep coming.
      const frames = page.evaluate(`new Promise((resolve) => {
        let frames = 0;
        const end = performance.now() + 1500;
        const look = () => performance.now() > end ? resolve(frames) : (frames++, requestAnimationFrame(look));
        look();
      })`);
      await page.getByLabel(prompt).fill("a blue teapot");
      expect(await frames).toBeGreaterThan(5);
      await drawn(page, /^a blue teapot/);
      expect(errors).toEqual([]);
      if (process.env["FOURSTEP_SHOT"] !== undefined) await page.screenshot({ path: process.env["FOURSTEP_SHOT"] });
    },
    patience,
  );

  it(
    "isolates itself where the server does not, so that it may have threads",
    async () => {
      await using server = await serveFolders({ "": out }, false);
      await using visiting = await visit(browser, `${server.url}?device=cpu&threads=2`);
      const { page } = visiting;
      page.setDefaultTimeout(patience);
      await page.getByText("Drawn in this browser: WebAssembly, 2 threads").waitFor();
      expect(await page.evaluate("crossOriginIsolated")).toBe(true);
    },
    patience,
  );

  it(
    "says what is missing",
    async () => {
      await using server = await serveFolders({ "": out, models: `${out}/nothing` });
      await using visiting = await visit(browser, server.url);
      const { page } = visiting;
      page.setDefaultTimeout(patience);
      const alert = page.getByRole("alert").filter({ hasText: "there is no model_index.json" });
      await page.getByLabel(prompt).fill("a fox");
      await alert.waitFor();
    },
    patience,
  );
});
