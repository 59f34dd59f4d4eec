import { add } from "../../graph/ops/arithmetic.ts";
import { attention } from "../../graph/ops/attention.ts";
import { silu } from "../../graph/ops/elementwise.ts";
import { upsample } from "../../graph/ops/resampling.ts";
import { slice } from "../../graph/ops/structure.ts";
import type { Value } from "../../graph/value.ts";
import { within } from "../../graph/within.ts";
import type { Layers } from "../layers.ts";
import { mapsOf, tokensOf } from "../maps.ts";
import { resnet } from "../resnet.ts";
import type { AutoencoderConfig } from "./config.ts";

const epsilon = 1e-6;

/** Self-attention with a single head over all positions, beside a shortcut. */
function midAttention(layers: Layers, x: Value, groups: number): Value {
  const [channels, batch, height, width] = x.shape as [number, number, number, number];
  return within("attention", () => {
    const tokens = tokensOf(layers.groupNorm("group_norm", x, { groups, epsilon }));
    const [q, k, v] = ["to_q", "to_k", "to_v"].map((name) => layers.linear(name, tokens, channels)) as [
      Value,
      Value,
      Value,
    ];
    const attended = layers.linear("to_out.0", attention(q, k, v, { heads: 1, batch }), channels);
    return add(mapsOf(attended, batch, height, width), x);
  });
}

function middle(layers: Layers, x: Value, config: AutoencoderConfig): Value {
  const options = { channels: x.shape[0]!, groups: config.groups, epsilon };
  const first = resnet(layers.at("resnets.0"), x, options);
  const attended = config.midAttention ? midAttention(layers.at("attentions.0"), first, config.groups) : first;
  return resnet(layers.at("resnets.1"), attended, options);
}

/** Mean and logarithm of the variance of q(z | x), as maps `[latent_channels, batch, height / f, width / f]`. */
export interface LatentDistribution {
  readonly mean: Value;
  readonly logVariance: Value;
}

/**
 * diffusers' AutoencoderKL, first half.
 * @param pictures maps `[3, batch, height, width]` in [-1, 1]
 */
export function encodePictures(layers: Layers, config: AutoencoderConfig, pictures: Value): LatentDistribution {
  const encoder = layers.at("encoder");
  const { groups, channels, latentChannels } = config;
  let x = encoder.conv("conv_in", pictures, channels[0]!, { kernel: 3, padding: 1 });
  channels.forEach((width, i) => {
    const block = encoder.at(`down_blocks.${i}`);
    for (let j = 0; j < config.layers; j++)
      x = resnet(block.at(`resnets.${j}`), x, { channels: width, groups, epsilon });
    // Zeros at the bottom and the right alone: an asymmetry that the published weights were trained with.
    if (i < channels.length - 1)
      x = block.conv("downsamplers.0.conv", x, width, { kernel: 3, stride: 2, padding: [0, 0, 1, 1] });
  });
  x = middle(encoder.at("mid_block"), x, config);
  x = silu(encoder.groupNorm("conv_norm_out", x, { groups, epsilon }));
  x = encoder.conv("conv_out", x, 2 * latentChannels, { kernel: 3, padding: 1 });
  const moments = config.quantConv ? layers.conv("quant_conv", x, 2 * latentChannels) : x;
  return {
    mean: slice(moments, 0, 0, latentChannels),
    logVariance: slice(moments, 0, latentChannels, 2 * latentChannels),
  };
}

/**
 * diffusers' AutoencoderKL, second half.
 * @param latents maps `[latent_channels, batch, h, w]`, not scaled by `scaling_factor`
 * @returns pictures as maps `[3, batch, f h, f w]`, about [-1, 1]
 */
export function decodeLatents(layers: Layers, config: AutoencoderConfig, latents: Value): Value {
  const decoder = layers.at("decoder");
  const { groups } = config;
  const channels = [...config.channels].reverse();
  let x = config.postQuantConv ? layers.conv("post_quant_conv", latents, config.latentChannels) : latents;
  x = decoder.conv("conv_in", x, channels[0]!, { kernel: 3, padding: 1 });
  x = middle(decoder.at("mid_block"), x, config);
  channels.forEach((width, i) => {
    const block = decoder.at(`up_blocks.${i}`);
    for (let j = 0; j <= config.layers; j++)
      x = resnet(block.at(`resnets.${j}`), x, { channels: width, groups, epsilon });
    if (i < channels.length - 1) x = block.conv("upsamplers.0.conv", upsample(x), width, { kernel: 3, padding: 1 });
  });
  x = silu(decoder.groupNorm("conv_norm_out", x, { groups, epsilon }));
  return decoder.conv("conv_out", x, config.outChannels, { kernel: 3, padding: 1 });
}
