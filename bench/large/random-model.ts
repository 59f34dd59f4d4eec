import { copyFile, mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomically } from "../../src/formats/file-source.node.ts";
import { safetensorsPieces } from "../../src/formats/safetensors-layout.ts";
import type { ModelFamily } from "../../src/models/checkpoint/families/family.ts";
import { clipTextConfig } from "../../src/models/clip.ts";
import { autoencoderTable, clipTextTable, type ParameterShape, unetTable } from "../../src/models/module-table.ts";
import { unetConfig } from "../../src/models/unet/config.ts";
import { autoencoderConfig } from "../../src/models/vae/config.ts";
import { counterNormal } from "../../src/tensor/random/counter.ts";
import { elementCount } from "../../src/tensor/tensor.ts";

/** Normal numbers, which come again after a million. */
const noise = counterNormal(0, "random model", 0, 2 ** 20 + 7);

/** Weights that keep the size of what passes through them; normalisations as they begin; biases of zero. */
function numbers({ name, shape }: ParameterShape): Float32Array {
  const data = new Float32Array(elementCount(shape));
  if (shape.length === 1) return name.endsWith(".weight") ? data.fill(1) : data;
  const deviation = name.includes("embedding") ? 0.02 : elementCount(shape.slice(1)) ** -0.5;
  const scaled = noise.map((x) => deviation * x);
  for (let at = 0; at < data.length; at += scaled.length)
    data.set(scaled.subarray(0, Math.min(scaled.length, data.length - at)), at);
  return data;
}

async function writeWeights(path: string, parameters: readonly ParameterShape[]): Promise<void> {
  const pending = parameters.map((parameter) => ({
    name: parameter.name,
    shape: parameter.shape,
    type: "float32" as const,
    bytes: async () => new Uint8Array(numbers(parameter).buffer as ArrayBuffer),
  }));
  await writeFileAtomically(path, safetensorsPieces(pending));
}

const parts = (family: ModelFamily) => [
  {
    folder: "unet",
    file: "diffusion_pytorch_model.safetensors",
    config: { _class_name: "UNet2DConditionModel", ...family.unet },
    parameters: unetTable(unetConfig(family.unet)).parameters,
  },
  {
    folder: "vae",
    file: "diffusion_pytorch_model.safetensors",
    config: { _class_name: "AutoencoderKL", ...family.autoencoder },
    parameters: autoencoderTable(autoencoderConfig(family.autoencoder)).parameters,
  },
  ...family.textEncoders.map(({ config }, i) => ({
    folder: i === 0 ? "text_encoder" : `text_encoder_${i + 1}`,
    file: "model.safetensors",
    config,
    parameters: clipTextTable(clipTextConfig(config)).parameters,
  })),
];

/**
 * A model of a family in its true shapes with random float32 weights, as a folder that diffusers would write; one that
 * stands is left as it is. It proves numbers, speed and memory; its pictures show nothing.
 * @param tokenizer folder with the vocab.json and merges.txt of CLIP
 */
export async function writeRandomModel(family: ModelFamily, folder: string, tokenizer: string): Promise<void> {
  if ((await stat(folder).catch(() => undefined)) !== undefined) return;
  const made = `${folder}.part`;
  await rm(made, { recursive: true, force: true });
  const json = (path: string, value: unknown): Promise<void> =>
    writeFile(join(made, path), `${JSON.stringify(value, undefined, 2)}\n`);
  const index: Record<string, unknown> = {
    ...{ _class_name: family.pipeline, _diffusers_version: "0.42.1" },
    ...{ unet: ["diffusers", "UNet2DConditionModel"], vae: ["diffusers", "AutoencoderKL"] },
    scheduler: ["diffusers", family.scheduler["_class_name"]],
    force_zeros_for_empty_prompt: family.zerosForEmptyPrompt,
  };
  for (const { folder: part, file, config, parameters } of parts(family)) {
    await mkdir(join(made, part), { recursive: true });
    await json(`${part}/config.json`, config);
    await writeWeights(join(made, part, file), parameters);
  }
  for (const [i, { padToken = "<|endoftext|>" }] of family.textEncoders.entries()) {
    const suffix = i === 0 ? "" : `_${i + 1}`;
    await mkdir(join(made, `tokenizer${suffix}`), { recursive: true });
    for (const file of ["vocab.json", "merges.txt"])
      await copyFile(join(tokenizer, file), join(made, `tokenizer${suffix}`, file));
    await json(`tokenizer${suffix}/tokenizer_config.json`, { tokenizer_class: "CLIPTokenizer", pad_token: padToken });
    index[`text_encoder${suffix}`] = ["transformers", "CLIPTextModel"];
    index[`tokenizer${suffix}`] = ["transformers", "CLIPTokenizer"];
  }
  await mkdir(join(made, "scheduler"), { recursive: true });
  await json("scheduler/scheduler_config.json", family.scheduler);
  await json("model_index.json", index);
  await rename(made, folder);
}
