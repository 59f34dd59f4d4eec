import { z } from "zod";
import { CheckpointError } from "../../errors.ts";
import { parseConfig } from "../config.ts";

const perBlock = z.union([z.number().int().positive(), z.array(z.number().int().positive()).readonly()]);
const depth = z.union([z.number().int().positive(), z.array(z.number().int().positive()).readonly()]);

const schema = z.object({
  sample_size: z.union([z.number().int().positive(), z.array(z.number().int()).readonly()]).nullish(),
  in_channels: z.number().int().positive().default(4),
  out_channels: z.number().int().positive().default(4),
  flip_sin_to_cos: z.boolean().default(true),
  freq_shift: z.number().default(0),
  down_block_types: z
    .array(z.enum(["CrossAttnDownBlock2D", "DownBlock2D"]))
    .default(["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"]),
  mid_block_type: z.enum(["UNetMidBlock2DCrossAttn", "UNetMidBlock2D"]).nullable().default("UNetMidBlock2DCrossAttn"),
  up_block_types: z
    .array(z.enum(["CrossAttnUpBlock2D", "UpBlock2D"]))
    .default(["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]),
  block_out_channels: z.array(z.number().int().positive()).default([320, 640, 1280, 1280]),
  layers_per_block: perBlock.default(2),
  downsample_padding: z.number().int().default(1),
  act_fn: z.literal("silu").default("silu"),
  norm_num_groups: z.number().int().positive().default(32),
  norm_eps: z.number().positive().default(1e-5),
  cross_attention_dim: z.number().int().positive().default(1280),
  transformer_layers_per_block: z.union([z.number().int().positive(), z.array(depth)]).default(1),
  attention_head_dim: perBlock.default(8),
  num_attention_heads: perBlock.nullish(),
  use_linear_projection: z.boolean().default(false),
  time_cond_proj_dim: z.number().int().positive().nullish(),
  time_embedding_dim: z.number().int().positive().nullish(),
});

type Parsed = z.infer<typeof schema>;

/** Settings that change the network in ways that this one does not know, with the values that change nothing. */
const unchanged: Readonly<Record<string, readonly unknown[]>> = {
  addition_embed_type: [null],
  class_embed_type: [null],
  num_class_embeds: [null],
  encoder_hid_dim: [null],
  encoder_hid_dim_type: [null],
  reverse_transformer_layers_per_block: [null],
  only_cross_attention: [false],
  dual_cross_attention: [false],
  class_embeddings_concat: [false],
  resnet_time_scale_shift: ["default"],
  resnet_skip_time_act: [false],
  resnet_out_scale_factor: [1],
  mid_block_scale_factor: [1],
  mid_block_only_cross_attention: [null, false],
  cross_attention_norm: [null],
  time_embedding_type: ["positional"],
  time_embedding_act_fn: [null],
  timestep_post_act: [null],
  conv_in_kernel: [3],
  conv_out_kernel: [3],
  center_input_sample: [false],
  attention_type: ["default"],
};

function refuseUnknown(json: unknown): void {
  for (const [key, values] of Object.entries(unchanged)) {
    const value = (json as Readonly<Record<string, unknown>>)[key];
    if (value === undefined || values.includes(value)) continue;
    throw new CheckpointError(
      `unet/config.json: "${key}" is ${JSON.stringify(value)}, which this U-Net does not know; it reads models where it is ${values.map((one) => JSON.stringify(one)).join(" or ")}.`,
    );
  }
}

/** One level of the U-Net, all of diffusers' shorthand resolved. */
export interface UNetLevel {
  readonly channels: number;
  readonly layers: number;
  readonly heads: number;
  /** Transformer layers per attention; 0 for a level without attention. */
  readonly depth: number;
}

/** `unet/config.json` of diffusers' UNet2DConditionModel, resolved. */
export interface UNetConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly down: readonly UNetLevel[];
  readonly up: readonly UNetLevel[];
  readonly mid: { readonly kind: "attention" | "plain" | "none"; readonly heads: number; readonly depth: number };
  readonly downsamplePadding: number;
  readonly groups: number;
  readonly epsilon: number;
  readonly contextWidth: number;
  readonly linearProjection: boolean;
  readonly flipSinToCos: boolean;
  readonly frequencyShift: number;
  readonly timeWidth: number;
  /** Width of the guidance embedding of a full latent consistency model, if it has one. */
  readonly guidanceWidth: number | undefined;
  readonly sampleSize: number | undefined;
}

const at = (value: number | readonly number[], level: number): number =>
  typeof value === "number" ? value : value[level]!;

/**
 * Reads diffusers' configuration of a U-Net.
 * @throws CheckpointError naming the key, the value and what is understood
 */
export function unetConfig(json: unknown): UNetConfig {
  const config: Parsed = parseConfig("unet/config.json", schema, json);
  refuseUnknown(json);
  const levels = config.block_out_channels.length;
  // diffusers' own name for the number of heads, by a mistake that it keeps for old checkpoints, is attention_head_dim.
  const heads = config.num_attention_heads ?? config.attention_head_dim;
  const depths = config.transformer_layers_per_block;
  const depthAt = (level: number): number => {
    const one = typeof depths === "number" ? depths : depths[level]!;
    if (typeof one === "number") return one;
    const [first] = one;
    if (one.some((n) => n !== first))
      throw new CheckpointError(
        `unet/config.json: "transformer_layers_per_block" gives the layers of one block different depths (${one.join(", ")}), which this U-Net does not know.`,
      );
    return first!;
  };
  const level = (index: number, attends: boolean, extra: number): UNetLevel => ({
    channels: config.block_out_channels[index]!,
    layers: at(config.layers_per_block, index) + extra,
    heads: at(heads, index),
    depth: attends ? depthAt(index) : 0,
  });
  const last = levels - 1;
  return {
    inChannels: config.in_channels,
    outChannels: config.out_channels,
    down: config.down_block_types.map((type, i) => level(i, type === "CrossAttnDownBlock2D", 0)),
    up: config.up_block_types.map((type, i) => level(last - i, type === "CrossAttnUpBlock2D", 1)),
    mid: {
      kind:
        config.mid_block_type === null ? "none" : config.mid_block_type === "UNetMidBlock2D" ? "plain" : "attention",
      heads: at(heads, last),
      depth: depthAt(last),
    },
    downsamplePadding: config.downsample_padding,
    groups: config.norm_num_groups,
    epsilon: config.norm_eps,
    contextWidth: config.cross_attention_dim,
    linearProjection: config.use_linear_projection,
    flipSinToCos: config.flip_sin_to_cos,
    frequencyShift: config.freq_shift,
    timeWidth: config.time_embedding_dim ?? 4 * config.block_out_channels[0]!,
    guidanceWidth: config.time_cond_proj_dim ?? undefined,
    sampleSize: typeof config.sample_size === "number" ? config.sample_size : undefined,
  };
}
