import type { JsonObject } from "../../../formats/json.ts";
import { readLocated, type TensorFile } from "../../../formats/tensor-file.ts";
import { toFloat32 } from "../../../tensor/convert.ts";
import type { ModelFamily } from "../families/family.ts";

/** What the U-Net of a single file predicts: noise, v, or what the file's weights speak for. */
export type OriginalPrediction = "epsilon" | "v_prediction" | "found";

/** A bias of the last transformer of Stable Diffusion 2. */
const tellingBias = "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias";

/** Standard deviation of that bias above which the U-Net predicts v. */
const widestOfNoise = 0.09;

/**
 * Scheduler fields on what the U-Net predicts, which a single file does not state.
 *
 * Files of finetunes that predict v have an empty tensor `v_pred`, and one `ztsnr` when their noise ends at a signal of
 * zero. Of Stable Diffusion 2, the 768-pixel models predict v and the 512-pixel ones noise, in the same layers: they differ
 * in the spread of one bias, a rule of thumb from ComfyUI that holds for the published files. The option settles it.
 * @returns fields that replace the family's
 */
export async function predictionSettings(
  file: TensorFile,
  family: ModelFamily,
  prediction: OriginalPrediction,
): Promise<JsonObject> {
  const marked = file.tensors.has("v_pred");
  // Noise that ends at nothing but noise must begin there, too.
  const zeroSnr: JsonObject =
    marked && file.tensors.has("ztsnr") ? { rescale_betas_zero_snr: true, timestep_spacing: "trailing" } : {};
  if (prediction !== "found") return { ...zeroSnr, prediction_type: prediction };
  if (marked) return { ...zeroSnr, prediction_type: "v_prediction" };
  if (family.prediction === "fixed") return {};
  const located = file.tensors.get(tellingBias);
  if (located === undefined) return {};
  const spread = deviation(toFloat32(await readLocated(located)).data);
  return { prediction_type: spread > widestOfNoise ? "v_prediction" : "epsilon" };
}

/** Standard deviation of all values, taken as the whole population. */
function deviation(values: Float32Array): number {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  return Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
}
