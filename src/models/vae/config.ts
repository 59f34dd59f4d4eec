import { z } from "zod";
import { CheckpointError } from "../../errors.ts";
import { parseConfig } from "../config.ts";

const schema = z.object({
  in_channels: z.number().int().positive().default(3),
  out_channels: z.number().int().positive().default(3),
  block_out_channels: z.array(z.number().int().positive()).min(1).default([64]),
  layers_per_block: z.number().int().positive().default(1),
  act_fn: z.literal("silu").default("silu"),
  latent_channels: z.number().int().positive().default(4),
  norm_num_groups: z.number().int().positive().default(32),
  scaling_factor: z.number().positive().default(0.18215),
  // Stable Diffusion's pipelines pass over shift_factor; those that heed it are for other models.
  shift_factor: z.literal(0).nullish(),
  latents_mean: z.array(z.number()).nullish(),
  latents_std: z.array(z.number().positive()).nullish(),
  down_block_types: z.array(z.literal("DownEncoderBlock2D")).nullish(),
  up_block_types: z.array(z.literal("UpDecoderBlock2D")).nullish(),
  mid_block_add_attention: z.boolean().default(true),
  use_quant_conv: z.boolean().default(true),
  use_post_quant_conv: z.boolean().default(true),
  force_upcast: z.boolean().nullish(),
});

/** `vae/config.json` of diffusers' AutoencoderKL. */
export interface AutoencoderConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  /** Channels of each level; each level but the last halves height and width. */
  readonly channels: readonly number[];
  readonly layers: number;
  readonly latentChannels: number;
  readonly groups: number;
  /** Diffusion works on latents times this factor. */
  readonly scalingFactor: number;
  /** Mean and deviation of each latent channel, where diffusion works on latents less the mean, over the deviation. */
  readonly statistics: { readonly mean: readonly number[]; readonly deviation: readonly number[] } | undefined;
  /** Whether the network must not be computed in float16: `force_upcast`. */
  readonly forceUpcast: boolean;
  readonly midAttention: boolean;
  readonly quantConv: boolean;
  readonly postQuantConv: boolean;
}

/** @throws CheckpointError naming the key and what is understood */
export function autoencoderConfig(json: unknown): AutoencoderConfig {
  const config = parseConfig("vae/config.json", schema, json);
  return {
    inChannels: config.in_channels,
    outChannels: config.out_channels,
    channels: config.block_out_channels,
    layers: config.layers_per_block,
    latentChannels: config.latent_channels,
    groups: config.norm_num_groups,
    scalingFactor: config.scaling_factor,
    statistics: statisticsOf(config),
    forceUpcast: config.force_upcast ?? true,
    midAttention: config.mid_block_add_attention,
    quantConv: config.use_quant_conv,
    postQuantConv: config.use_post_quant_conv,
  };
}

function statisticsOf(config: z.infer<typeof schema>): AutoencoderConfig["statistics"] {
  const { latents_mean: mean, latents_std: deviation, latent_channels: channels } = config;
  if (!mean || !deviation) return undefined;
  if (mean.length === channels && deviation.length === channels) return { mean, deviation };
  throw new CheckpointError(
    `vae/config.json: "latents_mean" and "latents_std" have ${mean.length} and ${deviation.length} numbers; each of the ${channels} latent channels needs one of each.`,
  );
}

/** Pixels per latent, along each side: 8 for Stable Diffusion. */
export function downscale(config: AutoencoderConfig): number {
  return 2 ** (config.channels.length - 1);
}
