import { add } from "../graph/ops/arithmetic.ts";
import { silu } from "../graph/ops/elementwise.ts";
import type { Value } from "../graph/value.ts";
import { within } from "../graph/within.ts";
import type { Layers } from "./layers.ts";
import { vectorsAsMaps } from "./maps.ts";

export interface ResnetOptions {
  readonly channels: number;
  readonly groups: number;
  readonly epsilon: number;
  /** SiLU of the time embedding `[batch, width]`; the autoencoder has none. */
  readonly time?: Value;
}

/** Two normalised 3x3 convolutions with the time between them, beside a shortcut. Maps in, maps out. */
export function resnet(layers: Layers, x: Value, { channels, groups, epsilon, time }: ResnetOptions): Value {
  return within("resnet", () => {
    let hidden = silu(layers.groupNorm("norm1", x, { groups, epsilon }));
    hidden = layers.conv("conv1", hidden, channels, { kernel: 3, padding: 1 });
    if (time !== undefined) hidden = add(hidden, vectorsAsMaps(layers.linear("time_emb_proj", time, channels)));
    hidden = silu(layers.groupNorm("norm2", hidden, { groups, epsilon }));
    hidden = layers.conv("conv2", hidden, channels, { kernel: 3, padding: 1 });
    return add(x.shape[0] === channels ? x : layers.conv("conv_shortcut", x, channels), hidden);
  });
}
