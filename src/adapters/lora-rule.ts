import { add, scale } from "../graph/ops/arithmetic.ts";
import { conv2d } from "../graph/ops/convolution.ts";
import { gemm } from "../graph/ops/product.ts";
import { reshape, transpose } from "../graph/ops/structure.ts";
import type { Value } from "../graph/value.ts";
import { type ParameterSource, plainRule, type WeightRule } from "../models/layers.ts";
import { lcmLoraTargets, targetKind } from "./targets.ts";

/** How adapted layers are put into a graph. */
export interface LoraRuleOptions {
  readonly rank: number;
  readonly alpha: number;
  /** Kinds of layer that are adapted, by the end of their path. */
  readonly targets: readonly string[];
  /**
   * `branch` computes `W0 x + s B (A x)`; `weight` computes `(W0 + s B A) x`. The numbers are the same. With large batches
   * and small layers `weight` is faster, as the low-rank product does not grow with the batch; `branch` keeps W0 constant.
   */
  readonly form: "branch" | "weight";
}

export const loraRuleDefaults: LoraRuleOptions = { rank: 64, alpha: 64, targets: lcmLoraTargets, form: "branch" };

/** Name of the two factors of an adapted layer, as sources are asked for them. */
export const loraDownName = (path: string): string => `${path}.lora_down.weight`;
export const loraUpName = (path: string): string => `${path}.lora_up.weight`;

/**
 * Layers with a low-rank branch: equation 4 of the paper in a graph. Factors are asked of `source` in the shapes of files:
 * `[rank, in]` and `[out, rank]`, or `[rank, in, kh, kw]` and `[out, rank, 1, 1]` for convolutions.
 */
export function loraRule(source: ParameterSource, options: Partial<LoraRuleOptions> = {}): WeightRule {
  const { rank, alpha, targets, form } = { ...loraRuleDefaults, ...options };
  const factor = alpha / rank;
  const adapts = (path: string): boolean => targetKind(path, targets) !== undefined;
  const factors = (path: string, [out, ...inner]: readonly number[]): [Value, Value] => [
    source(loraDownName(path), [rank, ...inner]),
    source(loraUpName(path), [out!, rank, ...inner.slice(1).map(() => 1)]),
  ];
  return {
    linear(path, x, weight, bias) {
      if (!adapts(path)) return plainRule.linear(path, x, weight, bias);
      const [down, up] = factors(path, weight.shape);
      if (form === "weight")
        return plainRule.linear(path, x, add(weight, gemm(up, down, undefined, { alpha: factor })), bias);
      const low = gemm(x, down, undefined, { transposeB: true });
      return add(
        plainRule.linear(path, x, weight, bias),
        gemm(low, up, undefined, { transposeB: true, alpha: factor }),
      );
    },
    conv(path, x, weight, bias, options) {
      if (!adapts(path)) return plainRule.conv(path, x, weight, bias, options);
      const [down, up] = factors(path, weight.shape);
      if (form === "branch") {
        const low = conv2d(x, down, undefined, options);
        return add(plainRule.conv(path, x, weight, bias, options), scale(conv2d(low, up), factor));
      }
      const [out, channels, height, width] = weight.shape as [number, number, number, number];
      // Kernels with their channels innermost, as training keeps them: transpositions of the two sides cancel.
      const innermost = (kernel: Value): Value => transpose(kernel, [0, 2, 3, 1]);
      const matrix = reshape(innermost(down), [rank, height * width * channels]);
      const delta = gemm(reshape(up, [out, rank]), matrix, undefined, { alpha: factor });
      const merged = add(innermost(weight), reshape(delta, [out, height, width, channels]));
      return plainRule.conv(path, x, transpose(merged, [0, 3, 1, 2]), bias, options);
    },
  };
}
