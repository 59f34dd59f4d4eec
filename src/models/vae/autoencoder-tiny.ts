import { z } from "zod";
import { CheckpointError } from "../../errors.ts";
import { add, scale, shift } from "../../graph/ops/arithmetic.ts";
import { relu, tanh } from "../../graph/ops/elementwise.ts";
import { upsample } from "../../graph/ops/resampling.ts";
import type { Value } from "../../graph/value.ts";
import { within } from "../../graph/within.ts";
import { parseConfig } from "../config.ts";
import type { Layers, ParameterSource } from "../layers.ts";

const count = z.number().int().positive();

const schema = z.object({
  in_channels: count.default(3),
  out_channels: count.default(3),
  encoder_block_out_channels: z.array(count).min(1).default([64, 64, 64, 64]),
  decoder_block_out_channels: z.array(count).min(1).default([64, 64, 64, 64]),
  act_fn: z.literal("relu").default("relu"),
  upsample_fn: z.literal("nearest").default("nearest"),
  latent_channels: count.default(4),
  upsampling_scaling_factor: z.literal(2).default(2),
  num_encoder_blocks: z.array(count).min(1).default([1, 3, 3, 3]),
  num_decoder_blocks: z.array(count).min(1).default([3, 3, 3, 1]),
  scaling_factor: z.number().positive().default(1),
});

/** One resolution of a tiny autoencoder. */
export interface TinyLevel {
  readonly channels: number;
  readonly blocks: number;
}

/** `vae/config.json` of diffusers' AutoencoderTiny, which is TAESD. */
export interface TinyAutoencoderConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly latentChannels: number;
  /** From the picture inwards; each level but the first halves height and width. */
  readonly encoder: readonly TinyLevel[];
  /** From the latents outwards; each level but the last doubles height and width. */
  readonly decoder: readonly TinyLevel[];
  /** Diffusion works on latents times this factor: 1, since the network was taught scaled latents. */
  readonly scalingFactor: number;
}

/** @throws CheckpointError naming the key and what is understood */
export function tinyAutoencoderConfig(json: unknown): TinyAutoencoderConfig {
  const config = parseConfig("vae/config.json", schema, json);
  const levels = (half: "encoder" | "decoder"): TinyLevel[] => {
    const channels = config[`${half}_block_out_channels`];
    const blocks = config[`num_${half}_blocks`];
    if (channels.length !== blocks.length)
      throw new CheckpointError(
        `vae/config.json: ${half}_block_out_channels has ${channels.length} numbers and num_${half}_blocks ${blocks.length}; both must have one for each level.`,
      );
    return channels.map((width, i) => ({ channels: width, blocks: blocks[i]! }));
  };
  return {
    inChannels: config.in_channels,
    outChannels: config.out_channels,
    latentChannels: config.latent_channels,
    encoder: levels("encoder"),
    decoder: levels("decoder"),
    scalingFactor: config.scaling_factor,
  };
}

/** Three 3x3 convolutions with ReLUs between, beside a shortcut, and a ReLU. */
function tinyBlock(layers: Layers, x: Value, channels: number): Value {
  const convolve = (place: number, hidden: Value): Value =>
    layers.conv(`conv.${place}`, hidden, channels, { kernel: 3, padding: 1 });
  const deep = convolve(4, relu(convolve(2, relu(convolve(0, x)))));
  return relu(add(deep, x.shape[0] === channels ? x : layers.conv("skip", x, channels, { bias: false })));
}

/**
 * First half of diffusers' AutoencoderTiny.
 * @param pictures maps `[3, batch, height, width]` in [-1, 1]
 * @returns latents as maps `[latent_channels, batch, height / 8, width / 8]`, as diffusion takes them
 * @throws ShapeError
 */
export function encodePicturesTiny(layers: Layers, config: TinyAutoencoderConfig, pictures: Value): Value {
  const stack = layers.at("encoder.layers");
  let place = 0;
  // The network was taught pictures in [0, 1].
  let x = scale(shift(pictures, 1), 0.5);
  config.encoder.forEach(({ channels, blocks }, i) => {
    x = within(`encoder level ${i}`, () => {
      const options = i === 0 ? { kernel: 3, padding: 1 } : { kernel: 3, padding: 1, stride: 2, bias: false };
      let hidden = stack.conv(String(place++), x, channels, options);
      for (let j = 0; j < blocks; j++) hidden = tinyBlock(stack.at(String(place++)), hidden, channels);
      return hidden;
    });
  });
  return stack.conv(String(place), x, config.latentChannels, { kernel: 3, padding: 1 });
}

/**
 * Second half of diffusers' AutoencoderTiny.
 * @param latents maps `[latent_channels, batch, h, w]`, as diffusion gives them; values beyond 3 are bent back by tanh
 * @returns pictures as maps `[3, batch, 8 h, 8 w]`, about [-1, 1]
 * @throws ShapeError
 */
export function decodeLatentsTiny(layers: Layers, config: TinyAutoencoderConfig, latents: Value): Value {
  const stack = layers.at("decoder.layers");
  const last = config.decoder.length - 1;
  const bent = scale(tanh(scale(latents, 1 / 3)), 3);
  let x = relu(stack.conv("0", bent, config.decoder[0]!.channels, { kernel: 3, padding: 1 }));
  // Layer 1 is the ReLU above; ReLUs and upsamplings are counted as layers of their own.
  let place = 2;
  config.decoder.forEach(({ channels, blocks }, i) => {
    x = within(`decoder level ${i}`, () => {
      let hidden = x;
      for (let j = 0; j < blocks; j++) hidden = tinyBlock(stack.at(String(place++)), hidden, channels);
      if (i === last) return stack.conv(String(place), hidden, config.outChannels, { kernel: 3, padding: 1 });
      place++;
      return stack.conv(String(place++), upsample(hidden), channels, { kernel: 3, padding: 1, bias: false });
    });
  });
  return shift(scale(x, 2), -1);
}

/**
 * The two bare files of TAESD, whose keys are numbers of layers, under diffusers' names.
 *
 * The decoder's numbers are one higher there, since its tanh is a layer too.
 */
export function bareTinyParameters(encoder: ParameterSource, decoder: ParameterSource): ParameterSource {
  return (name, shape) => {
    const [half, , place, ...rest] = name.split(".");
    const inner = rest.join(".");
    return half === "encoder" ? encoder(`${place}.${inner}`, shape) : decoder(`${Number(place) + 1}.${inner}`, shape);
  };
}
