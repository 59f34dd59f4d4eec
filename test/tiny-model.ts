import { saveAdapter } from "../src/adapters/save.ts";
import { targetModules } from "../src/adapters/targets.ts";
import type { JsonObject } from "../src/formats/json.ts";
import {
  encodeDiffusersFolder,
  type ModelContents,
  type PartContents,
} from "../src/models/checkpoint/encode-folder.ts";
import { clipTextConfig } from "../src/models/clip.ts";
import { autoencoderTable, clipTextTable, type ModelTable, unetTable } from "../src/models/module-table.ts";
import { trainTokenizerFiles } from "../src/models/tokenizer/bpe-trainer.ts";
import { unetConfig } from "../src/models/unet/config.ts";
import { autoencoderConfig } from "../src/models/vae/config.ts";
import { writeModelFolder } from "../src/node/model-folder.ts";
import type { FloatType } from "../src/tensor/convert.ts";
import { formula } from "./parity/formula.ts";

/** The words that the tiny model's vocabulary has whole. */
const captions = ["a red apple", "a green apple", "a red pear", "a green pear", "a red apple on a plate"];

const tokens = 10;

/** A vocabulary of the bytes, the captions' words and little else. */
function tinyTokenizer(): ModelContents["tokenizer"] {
  return trainTokenizerFiles(captions, { vocabularySize: 540, minimumCount: 1, maxLength: tokens });
}

/** Diffusers' configurations of a Stable Diffusion model of some ten thousand parameters that draws 32x32 pixels. */
export const tinyConfigs = {
  unet: {
    sample_size: 8,
    in_channels: 4,
    out_channels: 4,
    layers_per_block: 1,
    norm_num_groups: 4,
    block_out_channels: [8, 16],
    down_block_types: ["CrossAttnDownBlock2D", "DownBlock2D"],
    up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D"],
    cross_attention_dim: 12,
    attention_head_dim: 2,
  },
  autoencoder: {
    in_channels: 3,
    out_channels: 3,
    block_out_channels: [8, 8, 16],
    layers_per_block: 1,
    norm_num_groups: 4,
    latent_channels: 4,
    scaling_factor: 0.5,
    down_block_types: ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
    up_block_types: ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"],
  },
  textEncoder: {
    vocab_size: 600,
    hidden_size: 12,
    intermediate_size: 20,
    num_hidden_layers: 2,
    num_attention_heads: 3,
    max_position_embeddings: tokens,
    hidden_act: "quick_gelu",
    bos_token_id: 512,
    eos_token_id: 513,
    pad_token_id: 513,
  },
  scheduler: {
    _class_name: "DDIMScheduler",
    num_train_timesteps: 1000,
    beta_schedule: "scaled_linear",
    beta_start: 0.00085,
    beta_end: 0.012,
    clip_sample: false,
    set_alpha_to_one: false,
    steps_offset: 1,
    timestep_spacing: "leading",
    prediction_type: "epsilon",
  },
} as const;

/** Weights by formula, named apart for each part. */
function part(name: string, config: JsonObject, { parameters }: ModelTable): PartContents {
  return {
    config,
    tensors: new Map(
      parameters.map((parameter) => [parameter.name, formula(`${name}.${parameter.name}`, parameter.shape)]),
    ),
  };
}

/** What a test may want otherwise. */
export interface TinyModelOptions {
  readonly type?: FloatType;
  readonly unet?: JsonObject;
  readonly scheduler?: JsonObject;
}

/** The tiny model as the files of a diffusers folder. */
export function tinyModelFiles({
  type = "float32",
  unet = {},
  scheduler = {},
}: TinyModelOptions = {}): ReadonlyMap<string, Uint8Array> {
  const unetJson = { ...tinyConfigs.unet, ...unet };
  return encodeDiffusersFolder(
    {
      unet: part("unet", unetJson, unetTable(unetConfig(unetJson))),
      autoencoder: {
        kind: "kl",
        ...part("vae", tinyConfigs.autoencoder, autoencoderTable(autoencoderConfig(tinyConfigs.autoencoder))),
      },
      textEncoder: part("text", tinyConfigs.textEncoder, clipTextTable(clipTextConfig(tinyConfigs.textEncoder))),
      tokenizer: tinyTokenizer(),
      scheduler: { ...tinyConfigs.scheduler, ...scheduler },
      pipeline: "time_cond_proj_dim" in unet ? "LatentConsistencyModelPipeline" : "StableDiffusionPipeline",
    },
    { type },
  );
}

/** Writes the tiny model. */
export async function writeTinyModel(folder: string, options: TinyModelOptions = {}): Promise<void> {
  await writeModelFolder(folder, tinyModelFiles(options));
}

/** A LoRA of all modules that LCM-LoRA adapts, by formula, in the published key format; alpha is twice the rank. */
export function tinyLora(name: string, rank = 2, unet: unknown = tinyConfigs.unet): Uint8Array {
  const modules = targetModules(unetTable(unetConfig(unet)).modules).map(({ path, kind, weight }) => {
    const [out = 0, ...inner] = weight;
    const window = kind === "conv" ? [1, 1] : [];
    return {
      path,
      down: formula(`${name}.${path}.down.weight`, [rank, ...inner]),
      up: formula(`${name}.${path}.up.weight`, [out, rank, ...window]),
      alpha: 2 * rank,
    };
  });
  return saveAdapter(modules, { type: "float32", metadata: {} });
}
