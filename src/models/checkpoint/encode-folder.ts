import type { SchedulerConfig } from "../../diffusion/scheduler-config.ts";
import { CheckpointError } from "../../errors.ts";
import type { JsonObject } from "../../formats/json.ts";
import { encodeSafetensors } from "../../formats/safetensors.ts";
import { type FloatType, fromFloat32 } from "../../tensor/convert.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { TokenizerFiles } from "../tokenizer/tokenizer-files.ts";

/** One network to be written. */
export interface PartContents {
  /** diffusers' configuration; `_class_name` is added. */
  readonly config: JsonObject;
  /** By diffusers' names. */
  readonly tensors: ReadonlyMap<string, Tensor<"float32">>;
}

/** A whole Stable Diffusion model to be written. */
export interface ModelContents {
  readonly unet: PartContents;
  readonly autoencoder: PartContents & { readonly kind: "kl" | "tiny" };
  readonly textEncoder: PartContents;
  readonly tokenizer: TokenizerFiles;
  /** With diffusers' `_class_name`, e.g. `DDIMScheduler`. */
  readonly scheduler: SchedulerConfig;
  /** Full latent consistency models, whose U-Net takes the guidance as an input, have a pipeline of their own. */
  readonly pipeline: "StableDiffusionPipeline" | "LatentConsistencyModelPipeline";
}

export interface EncodeFolderOptions {
  /** How weights are stored; the sums of a float16 file are as small as its steps of 1/2048. */
  readonly type: FloatType;
  /** Release of diffusers whose layout the configurations follow; diffusers decides by it what an old file means. */
  readonly version: string;
}

export const encodeFolderDefaults: EncodeFolderOptions = { type: "float16", version: "0.42.1" };

const autoencoderClasses = { kl: "AutoencoderKL", tiny: "AutoencoderTiny" } as const;

/**
 * A model as the files of a diffusers folder, by their paths: what `from_pretrained` of diffusers opens.
 * @throws CheckpointError when the scheduler has no class, or a weight does not fit the element type
 */
export function encodeDiffusersFolder(
  model: ModelContents,
  options: Partial<EncodeFolderOptions> = {},
): ReadonlyMap<string, Uint8Array> {
  const { type, version } = { ...encodeFolderDefaults, ...options };
  const files = new Map<string, Uint8Array>();
  const text = (path: string, content: string): void => {
    files.set(path, new TextEncoder().encode(content));
  };
  const json = (path: string, value: unknown): void =>
    text(path, `${JSON.stringify(value, undefined, 2).replace(wholeFloat, "$1.0")}\n`);
  const part = (folder: string, file: string, { config, tensors }: PartContents, head: JsonObject): void => {
    json(`${folder}/config.json`, { ...head, ...config, ...head });
    files.set(`${folder}/${file}`, encodeSafetensors(narrow(tensors, type, folder), { format: "pt" }));
  };

  const { _class_name: schedulerClass } = model.scheduler;
  if (typeof schedulerClass !== "string")
    throw new CheckpointError(
      'The scheduler configuration has no "_class_name"; give the name of its diffusers class.',
    );
  const autoencoderClass = autoencoderClasses[model.autoencoder.kind];
  const diffusers = (name: string): JsonObject => ({ _class_name: name, _diffusers_version: version });

  json("model_index.json", {
    ...diffusers(model.pipeline),
    feature_extractor: [null, null],
    image_encoder: [null, null],
    requires_safety_checker: false,
    safety_checker: [null, null],
    scheduler: ["diffusers", schedulerClass],
    text_encoder: ["transformers", "CLIPTextModel"],
    tokenizer: ["transformers", "CLIPTokenizer"],
    unet: ["diffusers", "UNet2DConditionModel"],
    vae: ["diffusers", autoencoderClass],
  });
  const weightFile = "diffusion_pytorch_model.safetensors";
  part("unet", weightFile, model.unet, diffusers("UNet2DConditionModel"));
  part("vae", weightFile, model.autoencoder, diffusers(autoencoderClass));
  part("text_encoder", "model.safetensors", model.textEncoder, {
    architectures: ["CLIPTextModel"],
    model_type: "clip_text_model",
  });
  for (const [name, content] of Object.entries(model.tokenizer)) {
    if (content !== undefined) text(`tokenizer/${name}`, content as string);
  }
  json("scheduler/scheduler_config.json", { ...model.scheduler, _diffusers_version: version });
  return files;
}

/** Fields that transformers takes as floats only: whole numbers there need a point, which JavaScript does not write. */
const wholeFloat = /^( *"(?:initializer_factor|initializer_range|layer_norm_eps|attention_dropout)": -?\d+)(?=,?$)/gm;

/** Weights in the element type of the file. */
function narrow(tensors: ReadonlyMap<string, Tensor<"float32">>, type: FloatType, folder: string): Map<string, Tensor> {
  const narrowed = new Map<string, Tensor>();
  for (const [name, tensor] of tensors) {
    if (type === "float16" && tensor.data.some((x) => Math.abs(x) > largestHalf)) {
      throw new CheckpointError(
        `${folder}: the weight "${name}" holds numbers beyond ${largestHalf}, the largest float16; write float32.`,
      );
    }
    narrowed.set(name, fromFloat32(tensor, type));
  }
  return narrowed;
}

const largestHalf = 65504;
