import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { describe, expect, it } from "vitest";
import { nodePicture } from "../browser/node-picture.ts";
import { sourceAliases } from "../browser/source-aliases.ts";
import { serveFolders } from "../browser/static-server.ts";
import { chromiumPath, startBrowser } from "../page/browser.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

// Skipped where there is no Chromium; name it with CHROMIUM where it is in another place.
describe.skipIf(chromiumPath === undefined)("the examples for browsers, in Chromium", () => {
  it("draw into a canvas, and in a component of React", async () => {
    const out = here("../../out/examples-page");
    await build({
      configFile: false,
      root: here("page"),
      base: "./",
      logLevel: "error",
      build: { outDir: out, emptyOutDir: true, target: "es2022" },
      worker: { format: "es" },
      resolve: {
        conditions: ["onnxruntime-web-use-extern-wasm", "browser", "module", "import", "default"],
        alias: [...sourceAliases],
      },
    });
    const ort = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
    await using server = await serveFolders({ "": out, models: here("../../models"), ort });
    const browser = await startBrowser();
    try {
      const page = await browser.newPage();
      await page.goto(server.url);
      await page.waitForFunction("globalThis.react !== undefined");
      const rgb = (rgba: readonly number[]): number[] => rgba.filter((_, i) => i % 4 !== 3);
      const close = async (rgba: unknown, prompt: string): Promise<void> => {
        const size = { width: 64, height: 64 };
        const { pixels } = await nodePicture({ prompt, seed: 1, steps: 4, size });
        const drawn = rgb(rgba as number[]);
        expect(drawn).toHaveLength(pixels.length);
        expect(Math.max(...drawn.map((x, i) => Math.abs(x - pixels[i]!)))).toBeLessThanOrEqual(1);
      };
      await close(await page.evaluate('plain("a red apple")'), "a red apple");
      await close(await page.evaluate('react(["a cat", "a dog", "a lemon"])'), "a lemon");
      expect(await page.evaluate('document.querySelector("#react canvas").ariaLabel')).toBe("a lemon");
    } finally {
      await browser.close();
    }
  }, 600_000);
});
