import { ShapeError } from "../../errors.ts";
import { add, mul } from "../../graph/ops/arithmetic.ts";
import { cos, silu, sin } from "../../graph/ops/elementwise.ts";
import { concat, reshape } from "../../graph/ops/structure.ts";
import { constant, type Value } from "../../graph/value.ts";
import type { Layers } from "../layers.ts";
import type { UNetConfig } from "./config.ts";
import type { UNetInputs } from "./unet.ts";

export interface SinusoidOptions {
  readonly width: number;
  readonly flipSinToCos: boolean;
  readonly frequencyShift: number;
}

/**
 * Sinusoids of timesteps `[batch]` (float32): `[batch, width]`, frequencies 10000^(-i / (width / 2 - shift)), cosines
 * first where diffusers' `flip_sin_to_cos` says so.
 */
export function timestepSinusoid(timesteps: Value, { width, flipSinToCos, frequencyShift }: SinusoidOptions): Value {
  const half = width / 2;
  const frequencies = Float32Array.from({ length: half }, (_, i) =>
    Math.exp((-Math.log(10000) * i) / (half - frequencyShift)),
  );
  const angles = mul(
    reshape(timesteps, [timesteps.shape[0]!, 1]),
    constant({ type: "float32", shape: [1, half], data: frequencies }),
  );
  return concat(flipSinToCos ? [cos(angles), sin(angles)] : [sin(angles), cos(angles)], 1);
}

/**
 * The network's view of the noise level: sinusoid, linear, SiLU, linear, `[batch, width]`. A full latent consistency
 * model adds its guidance embedding `[batch, guidanceWidth]`, through `cond_proj`, to the sinusoid.
 */
export function timeEmbedding(layers: Layers, sinusoid: Value, width: number, guidance?: Value): Value {
  const conditioned =
    guidance === undefined ? sinusoid : add(sinusoid, layers.linear("cond_proj", guidance, sinusoid.shape[1]!, false));
  return layers.linear("linear_2", silu(layers.linear("linear_1", conditioned, width)), width);
}

/**
 * All that is added to every resnet, `[batch, timeWidth]`: the noise level with its guidance and, for SDXL, what the text
 * and the sizes say, which pass through an embedding of their own.
 * @throws ShapeError when SDXL's inputs are missing, or their width is not the configuration's
 */
export function levelEmbedding(layers: Layers, config: UNetConfig, inputs: Omit<UNetInputs, "latents">): Value {
  const { flipSinToCos, frequencyShift, timeWidth } = config;
  const sinusoid = (numbers: Value, width: number): Value =>
    timestepSinusoid(numbers, { width, flipSinToCos, frequencyShift });
  const time = timeEmbedding(
    layers.at("time_embedding"),
    sinusoid(inputs.timesteps, config.down[0]!.channels),
    timeWidth,
    inputs.guidance,
  );
  if (config.addition === undefined) return time;
  const { sinusoidWidth, inputWidth } = config.addition;
  const wanted = `the pooled text and sinusoids of the sizes, ${inputWidth} numbers for each picture`;
  if (inputs.addition === undefined) throw new ShapeError("add_embedding", wanted, [[0]]);
  const { pooled, sizes } = inputs.addition;
  const [batch, count] = sizes.shape as [number, number];
  const spread = reshape(sinusoid(reshape(sizes, [batch * count]), sinusoidWidth), [batch, count * sinusoidWidth]);
  const both = concat([pooled, spread], 1);
  if (both.shape[1] !== inputWidth) throw new ShapeError("add_embedding", wanted, [pooled.shape, sizes.shape]);
  return add(time, timeEmbedding(layers.at("add_embedding"), both, timeWidth));
}
