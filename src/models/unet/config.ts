import { z } from "zod";
import { CheckpointError } from "../../errors.ts";
import { parseConfig } from "../config.ts";

const perBlock = z.union([z.number().int().positive(), z.array(z.number().int().positive()).readonly()]);
const depth = z.number().int().nonnegative();
/** Transformer layers of one block: of each of its attentions alike, or of each by itself. */
const blockDepth = z.union([depth, z.array(depth).min(1).readonly()]);

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
  cross_attention_dim: perBlock.default(1280),
  transformer_layers_per_block: z.union([depth, z.array(blockDepth).readonly()]).default(1),
  reverse_transformer_layers_per_block: z.array(blockDepth).readonly().nullish(),
  attention_head_dim: perBlock.default(8),
  num_attention_heads: perBlock.nullish(),
  use_linear_projection: z.boolean().default(false),
  time_cond_proj_dim: z.number().int().positive().nullish(),
  time_embedding_dim: z.number().int().positive().nullish(),
  addition_embed_type: z.literal("text_time").nullish(),
  addition_time_embed_dim: z.number().int().positive().nullish(),
  projection_class_embeddings_input_dim: z.number().int().positive().nullish(),
  upcast_attention: z.boolean().nullish(),
});

type Parsed = z.infer<typeof schema>;

/** Settings that change the network in ways that this one does not know, with the values that change nothing. */
const unchanged: Readonly<Record<string, readonly unknown[]>> = {
  class_embed_type: [null],
  num_class_embeds: [null],
  encoder_hid_dim: [null],
  encoder_hid_dim_type: [null],
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
  /** Transformer layers of each layer's attention; empty for a level without attention. */
  readonly depths: readonly number[];
}

/** What SDXL's U-Net is told besides text and time: the pooled text, and sinusoids of numbers about the picture's size. */
export interface AdditionConfig {
  /** Width of the sinusoid of each number. */
  readonly sinusoidWidth: number;
  /** Of the pooled text and all sinusoids, side by side. */
  readonly inputWidth: number;
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
  /** SDXL's further embedding, `addition_embed_type: "text_time"`. */
  readonly addition: AdditionConfig | undefined;
  /** Whether attention must not be computed in float16: `upcast_attention`. */
  readonly upcastAttention: boolean;
  readonly sampleSize: number | undefined;
}

const at = <T>(value: number | readonly T[], level: number): number | T =>
  typeof value === "number" ? value : value[level]!;

/** Each list that speaks of levels has one entry for each. */
function checkLengths(config: Parsed): void {
  const levels = config.block_out_channels.length;
  const lists = {
    down_block_types: config.down_block_types,
    up_block_types: config.up_block_types,
    layers_per_block: config.layers_per_block,
    attention_head_dim: config.attention_head_dim,
    num_attention_heads: config.num_attention_heads,
    cross_attention_dim: config.cross_attention_dim,
    transformer_layers_per_block: config.transformer_layers_per_block,
    reverse_transformer_layers_per_block: config.reverse_transformer_layers_per_block,
  };
  for (const [key, list] of Object.entries(lists)) {
    if (typeof list !== "object" || list === null || list.length === levels) continue;
    throw new CheckpointError(
      `unet/config.json: "${key}" has ${list.length} entries, but "block_out_channels" has ${levels}; both must have one for each level.`,
    );
  }
}

/** Depths of a block's attentions. @throws CheckpointError when there are too few */
function depthsOf(key: string, depths: number | readonly number[], layers: number): readonly number[] {
  if (typeof depths === "number") return Array<number>(layers).fill(depths);
  if (depths.length >= layers) return depths.slice(0, layers);
  throw new CheckpointError(
    `unet/config.json: "${key}" gives a block of ${layers} layers the depths ${depths.join(", ")}; each layer needs one.`,
  );
}

/** Depths of the blocks on the way up, the deepest first. */
function depthsUpwards(config: Parsed): {
  readonly key: string;
  readonly depths: number | Parsed["transformer_layers_per_block"];
} {
  const { transformer_layers_per_block: depths, reverse_transformer_layers_per_block: reverse } = config;
  if (reverse !== null && reverse !== undefined)
    return { key: "reverse_transformer_layers_per_block", depths: reverse };
  if (typeof depths === "number") return { key: "transformer_layers_per_block", depths };
  if (depths.every((one) => typeof one === "number"))
    return { key: "transformer_layers_per_block", depths: depths.toReversed() };
  throw new CheckpointError(
    'unet/config.json: "transformer_layers_per_block" has lists within its list, so "reverse_transformer_layers_per_block" must say what holds on the way up.',
  );
}

/** The one width of the text. @throws CheckpointError when levels differ */
function contextWidthOf({ cross_attention_dim: widths }: Parsed): number {
  if (typeof widths === "number") return widths;
  if (widths.every((width) => width === widths[0])) return widths[0]!;
  throw new CheckpointError(
    `unet/config.json: "cross_attention_dim" is ${widths.join(", ")}; levels that take texts of different widths are not known.`,
  );
}

function additionOf(config: Parsed): AdditionConfig | undefined {
  if (config.addition_embed_type !== "text_time") return undefined;
  const { addition_time_embed_dim: sinusoidWidth, projection_class_embeddings_input_dim: inputWidth } = config;
  if (typeof sinusoidWidth === "number" && typeof inputWidth === "number") return { sinusoidWidth, inputWidth };
  throw new CheckpointError(
    'unet/config.json: "addition_embed_type" is "text_time", so "addition_time_embed_dim" and "projection_class_embeddings_input_dim" must be numbers.',
  );
}

/**
 * Reads diffusers' configuration of a U-Net.
 * @throws CheckpointError naming the key, the value and what is understood
 */
export function unetConfig(json: unknown): UNetConfig {
  const config: Parsed = parseConfig("unet/config.json", schema, json);
  refuseUnknown(json);
  checkLengths(config);
  // diffusers' own name for the number of heads, by a mistake that it keeps for old checkpoints, is attention_head_dim.
  const heads = config.num_attention_heads ?? config.attention_head_dim;
  const downwards = config.transformer_layers_per_block;
  const upwards = depthsUpwards(config);
  const last = config.block_out_channels.length - 1;
  const midDepth = at(downwards, last);
  return {
    inChannels: config.in_channels,
    outChannels: config.out_channels,
    down: config.down_block_types.map((type, i) => {
      const layers = at(config.layers_per_block, i);
      const attends = type === "CrossAttnDownBlock2D";
      const depths = attends ? depthsOf("transformer_layers_per_block", at(downwards, i), layers) : [];
      return { channels: config.block_out_channels[i]!, layers, heads: at(heads, i), depths };
    }),
    up: config.up_block_types.map((type, i) => {
      const layers = at(config.layers_per_block, last - i) + 1;
      const depths = type === "CrossAttnUpBlock2D" ? depthsOf(upwards.key, at(upwards.depths, i), layers) : [];
      return { channels: config.block_out_channels[last - i]!, layers, heads: at(heads, last - i), depths };
    }),
    mid: {
      kind:
        config.mid_block_type === null ? "none" : config.mid_block_type === "UNetMidBlock2D" ? "plain" : "attention",
      heads: at(heads, last),
      depth: at(midDepth, 0),
    },
    downsamplePadding: config.downsample_padding,
    groups: config.norm_num_groups,
    epsilon: config.norm_eps,
    contextWidth: contextWidthOf(config),
    linearProjection: config.use_linear_projection,
    flipSinToCos: config.flip_sin_to_cos,
    frequencyShift: config.freq_shift,
    timeWidth: config.time_embedding_dim ?? 4 * config.block_out_channels[0]!,
    guidanceWidth: config.time_cond_proj_dim ?? undefined,
    addition: additionOf(config),
    upcastAttention: config.upcast_attention ?? false,
    sampleSize: typeof config.sample_size === "number" ? config.sample_size : undefined,
  };
}
