import type { SchedulerConfig } from "../../diffusion/scheduler-config.ts";
import { UsageError } from "../../errors.ts";
import type { JsonObject } from "../../formats/json.ts";
import { type ClipTextConfig, clipTextConfig } from "../../models/clip.ts";
import type { ClipTokenizer } from "../../models/tokenizer/clip-tokenizer.ts";
import { type UNetConfig, unetConfig } from "../../models/unet/config.ts";
import { type AutoencoderConfig, autoencoderConfig } from "../../models/vae/config.ts";

/** A network's configuration, resolved and as diffusers writes it. */
export interface Described<C> {
  readonly config: C;
  readonly json: JsonObject;
}

/**
 * `vae/config.json` for an autoencoder that is trained: the kinds of its blocks, which diffusers needs and which can only
 * be these, are filled in; `scaling_factor` is 1, as the latents' statistics are folded into the weights.
 * @throws CheckpointError when the configuration is not understood; UsageError when the statistics have no place in it
 */
export function describeAutoencoder(given: JsonObject, size: number): Described<AutoencoderConfig> {
  const config = autoencoderConfig(given);
  if (!config.quantConv || !config.postQuantConv) {
    throw new UsageError(
      '"vae" must have use_quant_conv and use_post_quant_conv, into which the latents\' statistics are folded',
    );
  }
  const kinds = (kind: string): string[] => config.channels.map(() => kind);
  const json: JsonObject = {
    down_block_types: kinds("DownEncoderBlock2D"),
    up_block_types: kinds("UpDecoderBlock2D"),
    act_fn: "silu",
    force_upcast: false,
    ...given,
    sample_size: size,
    scaling_factor: 1,
  };
  return { config: { ...config, scalingFactor: 1 }, json };
}

/**
 * `text_encoder/config.json` for a text encoder that is trained with a vocabulary.
 * @throws CheckpointError when the configuration is not understood
 */
export function describeTextEncoder(given: JsonObject, tokenizer: ClipTokenizer): Described<ClipTextConfig> {
  const json: JsonObject = {
    hidden_act: "quick_gelu",
    // transformers 5 otherwise computes in the type of the file, beside a U-Net that diffusers computes in float32.
    dtype: "float32",
    ...given,
    vocab_size: tokenizer.size,
    bos_token_id: tokenizer.bosId,
    eos_token_id: tokenizer.eosId,
    pad_token_id: tokenizer.padId,
  };
  return { config: clipTextConfig(json), json };
}

/**
 * `unet/config.json` for a U-Net that is trained on latents of this many channels, height and width.
 * @throws CheckpointError when the configuration is not understood; UsageError when it does not fit its neighbours
 */
export function describeUNet(given: JsonObject, channels: number, side: number, width: number): Described<UNetConfig> {
  const json: JsonObject = {
    in_channels: channels,
    out_channels: channels,
    cross_attention_dim: width,
    ...given,
    sample_size: side,
  };
  const config = unetConfig(json);
  if (config.inChannels !== channels || config.outChannels !== channels) {
    throw new UsageError(
      `"unet" has in_channels ${config.inChannels} and out_channels ${config.outChannels}, but the autoencoder's latents have ${channels} channels`,
    );
  }
  if (config.contextWidth !== width) {
    throw new UsageError(
      `"unet" has cross_attention_dim ${config.contextWidth}, but "textEncoder" has hidden_size ${width}; they must agree`,
    );
  }
  if (config.guidanceWidth !== undefined) {
    throw new UsageError('"unet" must not have time_cond_proj_dim: that belongs to a consistency model, see train lcd');
  }
  return { config, json };
}

/** `scheduler/scheduler_config.json` as diffusers' Stable Diffusion has it, with the keys that a config gives instead. */
export function describeScheduler(given: JsonObject): SchedulerConfig {
  return {
    _class_name: "DDIMScheduler",
    beta_end: 0.012,
    beta_schedule: "scaled_linear",
    beta_start: 0.00085,
    clip_sample: false,
    num_train_timesteps: 1000,
    prediction_type: "epsilon",
    set_alpha_to_one: false,
    steps_offset: 1,
    timestep_spacing: "leading",
    ...given,
  };
}

/**
 * The scheduler of a consistency model that was made from a model with another one: the same noise levels.
 * @param gridSteps points of the grid that it was distilled on; the published LCM-LoRAs' unless told
 */
export function consistencyScheduler(given: SchedulerConfig, gridSteps = 50): SchedulerConfig {
  return { ...given, _class_name: "LCMScheduler", original_inference_steps: gridSteps };
}
