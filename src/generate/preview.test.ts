import { describe, expect, it } from "vitest";
import { smallModel } from "../../test/small-drawing.ts";
import { ShapeError } from "../errors.ts";
import { memoryParameters } from "../models/checkpoint/parameters.ts";
import { autoencoderConfig } from "../models/vae/config.ts";
import { float32 } from "../tensor/tensor.ts";
import type { AutoencoderNetwork } from "./model.ts";
import { approximatePicture, latentColours, linearPreview } from "./preview.ts";

const { source } = memoryParameters(new Map(), "nothing");
const published = (scaling_factor: number): AutoencoderNetwork => ({
  kind: "kl",
  config: autoencoderConfig({ scaling_factor }),
  source,
});

describe("previews without a network", () => {
  it("are linear in the latents", async () => {
    const colours = {
      factors: [
        [1, 2, 3],
        [10, 20, 30],
      ],
      bias: [0.5, 0, -0.5],
    } as const;
    const latents = float32([1, 2, 1, 2], [1, 2, 3, 4]);
    const expected = float32([3, 1, 2], [31.5, 42.5, 62, 84, 92.5, 125.5]);
    expect(approximatePicture(latents, colours)).toEqual(expected);
    expect(await linearPreview(colours)(latents)).toEqual(expected);
    expect(() => approximatePicture(float32([1, 1, 1, 1], [0]), colours)).toThrow(ShapeError);
  });

  it("are known for the published latents only", () => {
    expect(latentColours(published(0.18215))?.factors[0]).toEqual([0.3512, 0.2297, 0.3227]);
    expect(latentColours(published(0.13025))?.bias).toEqual([0.1084, -0.0175, -0.0011]);
    expect(latentColours(published(0.5))).toBeUndefined();
    expect(latentColours(smallModel.autoencoder)).toBeUndefined();
  });
});
