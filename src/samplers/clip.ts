import { configFlag, configNumber, type SchedulerConfig } from "../diffusion/scheduler-config.ts";
import { UsageError } from "../errors.ts";
import { clamp } from "../tensor/arithmetic.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** What happens to the predicted clean latents before a step uses them. */
export type Clip =
  | { readonly kind: "none" }
  /** Into [-limit, limit]. */
  | { readonly kind: "range"; readonly limit: number }
  /** Dynamic thresholding (Saharia et al. 2022): into [-s, s] and divided by s, s the quantile of each sample's magnitudes within [1, maximum]. */
  | { readonly kind: "dynamic"; readonly quantile: number; readonly maximum: number };

export const noClip: Clip = { kind: "none" };

/** Clean latents [batch, ...] after clipping. */
export function clipped(clean: Tensor<"float32">, clip: Clip): Tensor<"float32"> {
  switch (clip.kind) {
    case "none":
      return clean;
    case "range":
      return clamp(clean, -clip.limit, clip.limit);
    case "dynamic":
      return dynamicallyClipped(clean, clip.quantile, clip.maximum);
  }
}

function dynamicallyClipped(clean: Tensor<"float32">, share: number, maximum: number): Tensor<"float32"> {
  const data = clean.data.slice();
  const size = data.length / (clean.shape[0] ?? 1);
  for (let start = 0; start < data.length; start += size) {
    const one = data.subarray(start, start + size);
    const limit = Math.min(maximum, Math.max(1, quantile(one.map(Math.abs).sort(), share)));
    for (let i = 0; i < one.length; i++) one[i] = Math.min(limit, Math.max(-limit, one[i]!)) / limit;
  }
  return { type: "float32", shape: clean.shape, data };
}

/** Linear between the two neighbours in ascending values. */
function quantile(ascending: Float32Array, share: number): number {
  const place = share * (ascending.length - 1);
  const below = Math.floor(place);
  const low = ascending[below]!;
  const high = ascending[Math.min(below + 1, ascending.length - 1)]!;
  return low + (place - below) * (high - low);
}

/**
 * Clipping as a scheduler configuration asks for it.
 *
 * Reads thresholding, dynamic_thresholding_ratio, sample_max_value, clip_sample and clip_sample_range.
 * @throws UsageError when a field has another type
 */
export function clipFromConfig(config: SchedulerConfig, clipsWhenAbsent: boolean): Clip {
  if (configFlag(config, "thresholding", false)) {
    const quantile = configNumber(config, "dynamic_thresholding_ratio", 0.995);
    if (quantile < 0 || quantile > 1) {
      throw new UsageError(
        `The scheduler configuration's dynamic_thresholding_ratio is ${quantile}, but it must be from 0 to 1.`,
      );
    }
    return { kind: "dynamic", quantile, maximum: configNumber(config, "sample_max_value", 1) };
  }
  if (!configFlag(config, "clip_sample", clipsWhenAbsent)) return noClip;
  return { kind: "range", limit: configNumber(config, "clip_sample_range", 1) };
}
