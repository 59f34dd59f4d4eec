import { CheckpointError } from "../errors.ts";
import { float32, type Tensor } from "../tensor/tensor.ts";

/** Mean and standard deviation of each latent channel over a data set. */
export interface LatentStatistics {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** @param latents maps `[channels, n, h, w]` */
export function latentStatistics(latents: Tensor<"float32">): LatentStatistics {
  const channels = latents.shape[0]!;
  const count = latents.data.length / channels;
  const mean: number[] = [];
  const deviation: number[] = [];
  for (let c = 0; c < channels; c++) {
    const values = latents.data.subarray(c * count, (c + 1) * count);
    const average = values.reduce((sum, x) => sum + x, 0) / count;
    mean.push(average);
    deviation.push(Math.sqrt(values.reduce((sum, x) => sum + (x - average) ** 2, 0) / count));
  }
  return { mean, deviation };
}

/**
 * Changes an autoencoder so that its latents have mean 0 and deviation 1 in each channel, and its pictures stay the same:
 * the statistics go into the 1x1 convolutions at the bottleneck, so that `scaling_factor` 1 serves.
 *
 *     quant_conv:       mean' = (mean - m) / s,  log variance' = log variance - 2 ln s
 *     post_quant_conv:  W' = W diag(s),  b' = b + W m
 * @param weights an AutoencoderKL's, in file shapes; a changed copy is returned
 * @throws CheckpointError when it lacks the two convolutions
 */
export function foldLatentStatistics(
  weights: ReadonlyMap<string, Tensor<"float32">>,
  { mean, deviation }: LatentStatistics,
): Map<string, Tensor<"float32">> {
  const channels = mean.length;
  const result = new Map(weights);
  const copy = (name: string): Float32Array => {
    const tensor = weights.get(name);
    if (tensor === undefined)
      throw new CheckpointError(
        `The autoencoder has no ${name}, into which the latents' statistics are folded; train it with use_quant_conv.`,
      );
    const data = tensor.data.slice();
    result.set(name, float32(tensor.shape, data));
    return data;
  };
  const quant = copy("quant_conv.weight");
  const quantBias = copy("quant_conv.bias");
  const width = 2 * channels;
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < width; i++) quant[c * width + i]! /= deviation[c]!;
    quantBias[c] = (quantBias[c]! - mean[c]!) / deviation[c]!;
    quantBias[channels + c]! -= 2 * Math.log(deviation[c]!);
  }
  const post = copy("post_quant_conv.weight");
  const postBias = copy("post_quant_conv.bias");
  for (let o = 0; o < channels; o++) {
    for (let c = 0; c < channels; c++) {
      postBias[o]! += post[o * channels + c]! * mean[c]!;
      post[o * channels + c]! *= deviation[c]!;
    }
  }
  return result;
}
