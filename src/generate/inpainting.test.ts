import { describe, expect, it } from "vitest";
import { smallModel, smallModelOf, smallNetworks } from "../../test/small-drawing.ts";
import { ShapeError, UsageError } from "../errors.ts";
import { createSampler } from "../samplers/registry.ts";
import { Mt19937 } from "../tensor/random/mt19937.ts";
import { filled, type Tensor } from "../tensor/tensor.ts";
import { encodePrompt } from "./conditioning.ts";
import type { DrawingStep, DrawnPicture } from "./drawing.ts";
import { type InpaintingRequest, inpainting } from "./inpainting.ts";
import type { Model } from "./model.ts";
import type { Networks, UNetRequest } from "./networks.ts";

/** The right half of 12 rows of 8 pixels. */
const mask: Tensor<"float32"> = {
  type: "float32",
  shape: [1, 12, 8],
  data: Float32Array.from({ length: 96 }, (_, i) => (i % 8 < 4 ? 0 : 1)),
};

async function request(changes: Partial<InpaintingRequest> = {}): Promise<InpaintingRequest> {
  const prompt = { prompt: "a red apple", negativePrompt: "", guidanceScale: 1 };
  return {
    conditioning: await encodePrompt(smallNetworks(), smallModel, prompt),
    sampler: createSampler("lcm", { config: {}, steps: 4, strength: 1 }),
    picture: filled([3, 12, 8], 0.25),
    mask,
    maskBlur: 0,
    strength: 1,
    seed: 5,
    count: 1,
    ...changes,
  };
}

async function run(wanted: InpaintingRequest, networks: Networks, model: Model = smallModel) {
  const steps: DrawingStep[] = [];
  let picture: DrawnPicture | undefined;
  for await (const event of inpainting(networks, model, wanted)) {
    if (event.kind === "step") steps.push(event);
    else picture = event;
  }
  return { steps, picture: picture! };
}

describe("inpainting", () => {
  it("holds the kept latents to the picture at each step's noise", async () => {
    const wanted = await request();
    const { steps, picture } = await run(wanted, smallNetworks({ encoded: [0.75, 0] }));
    const generator = new Mt19937(5);
    generator.randn(48);
    const noise = generator.randn(48);
    for (const { index, latents } of steps) {
      const level = wanted.sampler.levelAt(index + 1);
      for (const [i, x] of latents.data.entries()) {
        // Latents are 4 wide, two pixels each: the left two are kept.
        if (i % 4 < 2) expect(x).toBeCloseTo(level.clean * 0.75 + level.noise * noise[i]!, 5);
      }
    }
    expect([...picture.latents.data].filter((_, i) => i % 4 < 2)).toEqual(Array(24).fill(0.75));
    const kept = [...picture.pixels.data].filter((_, i) => i % 8 < 4);
    expect(kept).toEqual(Array(144).fill(0.25));
    expect(picture.pixels.data[7]).not.toBe(0.25);
  });

  it("begins with noise alone at full strength, else with the noised picture", async () => {
    for (const strength of [1, 0.5]) {
      const asked: UNetRequest[] = [];
      const sampler = createSampler("lcm", { config: {}, steps: 4, strength });
      await run(await request({ sampler, strength }), smallNetworks({ asked, encoded: [0.75, 0] }));
      const generator = new Mt19937(5);
      generator.randn(48);
      const noise = generator.randn(48);
      const level = strength === 1 ? { clean: 0, noise: 1 } : sampler.levelAt(0);
      for (const [i, x] of asked[0]!.latents.data.entries()) {
        expect(x).toBeCloseTo(level.clean * 0.75 + level.noise * noise[i]!, 5);
      }
    }
  });

  it("shows mask and masked picture to a U-Net that takes them", async () => {
    const asked: UNetRequest[] = [];
    await run(await request({ count: 2, batch: 2 }), smallNetworks({ asked, encoded: [0.75, 0] }), smallModelOf(5));
    const { latents } = asked[0]!;
    expect(latents.shape).toEqual([2, 5, 6, 4]);
    const planes = (picture: number, channel: number): number[] => [
      ...latents.data.subarray((5 * picture + channel) * 24, (5 * picture + channel + 1) * 24),
    ];
    for (const picture of [0, 1]) {
      // Noise first, as it is at full strength; then the mask, then the picture without what it marks.
      expect(planes(picture, 0)).toEqual([...new Mt19937(5 + picture).randn(48).subarray(0, 24)]);
      expect(planes(picture, 2)).toEqual(Array(6).fill([0, 0, 1, 1]).flat());
      expect(planes(picture, 3)).toEqual(Array(24).fill(0.75));
    }
  });

  it("refuses masks of another size, blurs below 0, and models of other channels", async () => {
    await expect(run(await request({ mask: filled([1, 8, 8]) }), smallNetworks())).rejects.toThrow(ShapeError);
    await expect(run(await request({ maskBlur: -1 }), smallNetworks())).rejects.toThrow(UsageError);
    await expect(run(await request(), smallNetworks(), smallModelOf(4))).rejects.toThrow("takes 4 channels");
  });
});
