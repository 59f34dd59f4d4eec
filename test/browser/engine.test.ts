import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chromiumPath } from "../page/browser.ts";
import { type BrowserPicture, browserWithWebGpu, buildEnginePage, openEnginePage } from "./engine-page.ts";
import { type NodeDrawing, nodePicture } from "./node-picture.ts";

const patience = 600_000;
const drawing: NodeDrawing = { prompt: "a fox, flat style", seed: 7, steps: 4, size: { width: 64, height: 64 } };

const furthest = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
};

async function expectNode(picture: BrowserPicture, of: NodeDrawing): Promise<void> {
  const node = await nodePicture(of);
  expect(picture.latents).toHaveLength(node.latents.length);
  expect(picture.pixels).toHaveLength(node.pixels.length);
  expect(furthest(picture.latents, node.latents)).toBeLessThan(1e-3);
  // A number on the border of two bytes may fall on either side.
  expect(furthest(picture.pixels, node.pixels)).toBeLessThanOrEqual(1);
}

// Without Chromium, all of this is skipped; name it with CHROMIUM where it is in another place.
describe.skipIf(chromiumPath === undefined)("the engine in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    await buildEnginePage();
    browser = await browserWithWebGpu();
  }, patience);
  afterAll(() => browser.close());

  it(
    "draws Node's picture on WebAssembly with threads, while the page stays smooth",
    async () => {
      await using engine = await openEnginePage(browser);
      const { info, files } = await engine.open({ device: "cpu", threads: 2 });
      expect(info).toMatchObject({ model: "fourstep-64", device: "cpu", threads: 2, notes: [] });
      expect(files).toContain("unet/diffusion_pytorch_model.safetensors");
      const picture = await engine.draw(drawing);
      expect(picture.settings).toContain("a fox, flat style <lora:lcm-lora:1>\nSteps: 4, Sampler: LCM");
      expect(picture.steps).toBe(4);
      await expectNode(picture, drawing);
      // The work takes the worker seconds; on a busy machine the page may wait a little for a core.
      expect(picture.longestPause).toBeLessThan(Math.max(500, 250 * picture.seconds));

      const styled = { ...drawing, prompt: "a fox", style: { name: "style-3d", weight: 0.8 } };
      const byTag = await engine.draw({ ...drawing, prompt: "a fox<lora:style-3d:0.8>" });
      await expectNode(byTag, styled);
      const byList = await engine.draw({ ...drawing, prompt: "a fox", loras: [styled.style] });
      expect(byList.pixels).toEqual(byTag.pixels);

      expect(await engine.leave(drawing)).toEqual({ thrown: "AbortError", next: 4 });
      await expect(engine.draw({ ...drawing, loras: [{ name: "missing", weight: 1 }] })).rejects.toThrow(
        'There is no LoRA "missing" of fourstep-64.',
      );
      expect((await engine.draw({ ...drawing, prompt: "a fox on a xylograph" })).warnings.join()).toContain(
        "xylograph",
      );
    },
    patience,
  );

  it(
    "says so where the page may have no threads, and draws the same with one",
    async () => {
      await using engine = await openEnginePage(browser, false);
      const { info } = await engine.open({ device: "cpu", threads: 2 });
      expect(info.threads).toBe(1);
      expect(info.notes.join()).toContain("drawing uses one thread");
      const small = { ...drawing, steps: 1, size: { width: 32, height: 32 } };
      await expectNode(await engine.draw(small), small);
    },
    patience,
  );

  it(
    "draws Node's picture on WebGPU, here in software",
    async (context) => {
      await using engine = await openEnginePage(browser);
      const { info } = await engine.open({ device: "webgpu" });
      if (info.device !== "webgpu") return context.skip("this Chromium offers no WebGPU adapter");
      // Software takes minutes for a whole picture; one step of a small one meets every kind of layer.
      const small = { ...drawing, steps: 1, size: { width: 32, height: 32 } };
      await expectNode(await engine.draw(small), small);
    },
    patience,
  );
});
