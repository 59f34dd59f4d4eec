import { describe, expect, it } from "vitest";
import { bytesSource } from "../../../formats/byte-source.ts";
import { openTensorFile } from "../../../formats/open-tensor-file.ts";
import { encodeSafetensors } from "../../../formats/safetensors.ts";
import type { TensorFile } from "../../../formats/tensor-file.ts";
import { filled, float32, type Tensor } from "../../../tensor/tensor.ts";
import { stableDiffusion1 } from "../families/stable-diffusion-1.ts";
import { stableDiffusion2 } from "../families/stable-diffusion-2.ts";
import { stableDiffusionXl } from "../families/stable-diffusion-xl.ts";
import { inpaintingOf } from "../families/variants.ts";
import { predictionSettings } from "./prediction.ts";

const fileOf = (tensors: Readonly<Record<string, Tensor>>): Promise<TensorFile> =>
  openTensorFile(bytesSource("file", encodeSafetensors({ other: filled([1]), ...tensors })));

/** A bias whose values lie `spread` to both sides of 0.2. */
const bias = (spread: number): Record<string, Tensor> => ({
  "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias": float32(
    [4],
    [0.2 + spread, 0.2 - spread, 0.2 + spread, 0.2 - spread],
  ),
});

describe("predictionSettings", () => {
  it("tells Stable Diffusion 2 at 768 pixels from 512 by the spread of a bias", async () => {
    const found = async (spread: number): Promise<unknown> =>
      predictionSettings(await fileOf(bias(spread)), stableDiffusion2, "found");
    expect(await found(0.091)).toEqual({ prediction_type: "v_prediction" });
    expect(await found(0.089)).toEqual({ prediction_type: "epsilon" });
    expect(await predictionSettings(await fileOf({}), stableDiffusion2, "found")).toEqual({});
    expect(await predictionSettings(await fileOf(bias(1)), stableDiffusion1, "found")).toEqual({});
    expect(await predictionSettings(await fileOf(bias(1)), inpaintingOf(stableDiffusion2), "found")).toEqual({});
  });

  it("heeds the marks of finetunes", async () => {
    const marked = await fileOf({ v_pred: filled([1]) });
    expect(await predictionSettings(marked, stableDiffusionXl, "found")).toEqual({ prediction_type: "v_prediction" });
    const both = await fileOf({ v_pred: filled([1]), ztsnr: filled([1]) });
    expect(await predictionSettings(both, stableDiffusionXl, "found")).toEqual({
      prediction_type: "v_prediction",
      rescale_betas_zero_snr: true,
      timestep_spacing: "trailing",
    });
  });

  it("does what it is told", async () => {
    const wide = await fileOf(bias(1));
    expect(await predictionSettings(wide, stableDiffusion2, "epsilon")).toEqual({ prediction_type: "epsilon" });
    expect(await predictionSettings(wide, stableDiffusion1, "v_prediction")).toEqual({
      prediction_type: "v_prediction",
    });
  });
});
