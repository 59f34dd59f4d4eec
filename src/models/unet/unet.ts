import { silu } from "../../graph/ops/elementwise.ts";
import { upsample } from "../../graph/ops/resampling.ts";
import { concat } from "../../graph/ops/structure.ts";
import type { Value } from "../../graph/value.ts";
import { within } from "../../graph/within.ts";
import type { Layers } from "../layers.ts";
import { resnet } from "../resnet.ts";
import type { UNetConfig } from "./config.ts";
import { levelEmbedding } from "./embeddings.ts";
import { transformer } from "./transformer.ts";

export interface UNetInputs {
  /** Noisy latents as maps `[in_channels, batch, height / 8, width / 8]`. */
  readonly latents: Value;
  /** float32 `[batch]`. */
  readonly timesteps: Value;
  /** Hidden states of the text `[batch * tokens, cross_attention_dim]`. */
  readonly context: Value;
  /** Embedding of the guidance `[batch, time_cond_proj_dim]`, for full latent consistency models. */
  readonly guidance?: Value;
  /** For SDXL: pooled texts `[batch, width]` and numbers about the picture's size, float32 `[batch, 6]` as a rule. */
  readonly addition?: { readonly pooled: Value; readonly sizes: Value };
}

/**
 * diffusers' UNet2DConditionModel: the network's output as maps `[out_channels, batch, height / 8, width / 8]`.
 * @throws ShapeError when inputs do not fit the configuration
 */
export function unet(layers: Layers, config: UNetConfig, inputs: UNetInputs): Value {
  const { latents, context } = inputs;
  const { groups, epsilon, linearProjection, upcastAttention: upcast } = config;
  const first = config.down[0]!.channels;
  // Each resnet starts from the SiLU of the embedding: it is taken once.
  const time = silu(levelEmbedding(layers, config, inputs));
  const convolve = (at: Layers, x: Value, channels: number): Value =>
    resnet(at, x, { channels, groups, epsilon, time });
  const attend = (at: Layers, x: Value, heads: number, depth: number | undefined): Value =>
    depth === undefined ? x : transformer(at, x, { heads, depth, groups, linearProjection, context, upcast });

  let x = layers.conv("conv_in", latents, first, { kernel: 3, padding: 1 });
  const skips: Value[] = [x];
  config.down.forEach((level, i) => {
    x = within(`down_blocks.${i}`, () => {
      const block = layers.at(`down_blocks.${i}`);
      let hidden = x;
      for (let j = 0; j < level.layers; j++) {
        hidden = convolve(block.at(`resnets.${j}`), hidden, level.channels);
        hidden = attend(block.at(`attentions.${j}`), hidden, level.heads, level.depths[j]);
        skips.push(hidden);
      }
      if (i === config.down.length - 1) return hidden;
      const padding = config.downsamplePadding;
      hidden = block.conv("downsamplers.0.conv", hidden, level.channels, { kernel: 3, stride: 2, padding });
      skips.push(hidden);
      return hidden;
    });
  });

  const deepest = config.down[config.down.length - 1]!.channels;
  if (config.mid.kind !== "none") {
    const mid = layers.at("mid_block");
    x = convolve(mid.at("resnets.0"), x, deepest);
    if (config.mid.kind === "attention") {
      x = attend(mid.at("attentions.0"), x, config.mid.heads, config.mid.depth);
      x = convolve(mid.at("resnets.1"), x, deepest);
    }
  }

  config.up.forEach((level, i) => {
    x = within(`up_blocks.${i}`, () => {
      const block = layers.at(`up_blocks.${i}`);
      let hidden = x;
      for (let j = 0; j < level.layers; j++) {
        hidden = convolve(block.at(`resnets.${j}`), concat([hidden, skips.pop()!], 0), level.channels);
        hidden = attend(block.at(`attentions.${j}`), hidden, level.heads, level.depths[j]);
      }
      if (i === config.up.length - 1) return hidden;
      return block.conv("upsamplers.0.conv", upsample(hidden), level.channels, { kernel: 3, padding: 1 });
    });
  });

  const out = silu(layers.groupNorm("conv_norm_out", x, { groups, epsilon }));
  return layers.conv("conv_out", out, config.outChannels, { kernel: 3, padding: 1 });
}
