import { readFileSync } from "node:fs";
import { bytesSource } from "../src/formats/byte-source.ts";
import type { JsonObject } from "../src/formats/json.ts";
import { openTensorFile } from "../src/formats/open-tensor-file.ts";
import { type TensorFile, unwrapStateDict } from "../src/formats/tensor-file.ts";
import type { FamilyTextEncoder, ModelFamily } from "../src/models/checkpoint/families/family.ts";
import { stableDiffusion1 } from "../src/models/checkpoint/families/stable-diffusion-1.ts";
import { stableDiffusion2 } from "../src/models/checkpoint/families/stable-diffusion-2.ts";
import { stableDiffusionXl } from "../src/models/checkpoint/families/stable-diffusion-xl.ts";

/** The small models of scripts/fixtures/original-names.py. */
export const originalNames = ["sd1", "sd1-inpainting", "sd1-lcm", "sd2", "sdxl", "ssd-1b"] as const;
export type OriginalName = (typeof originalNames)[number];

const bases: Readonly<Record<OriginalName, ModelFamily>> = {
  sd1: stableDiffusion1,
  "sd1-inpainting": stableDiffusion1,
  "sd1-lcm": stableDiffusion1,
  sd2: stableDiffusion2,
  sdxl: stableDiffusionXl,
  "ssd-1b": stableDiffusionXl,
};

export const originalPath = (file: string): string => `test/fixtures/original/${file}`;

/** One of the files, opened in memory. */
export async function openOriginal(file: string): Promise<TensorFile> {
  return unwrapStateDict(await openTensorFile(bytesSource(file, readFileSync(originalPath(file)))));
}

/** The family that a small model would belong to if it were published: the true one with the configurations of the file. */
export async function smallFamily(name: OriginalName): Promise<ModelFamily> {
  const { metadata } = await openOriginal(`${name}.safetensors`);
  const configs = JSON.parse(metadata.get("configs") ?? "") as Record<string, JsonObject>;
  const base = bases[name];
  const encoder = (known: FamilyTextEncoder, i: number): FamilyTextEncoder => ({
    ...known,
    config: configs[i === 0 ? "text_encoder" : "text_encoder_2"]!,
  });
  return {
    ...base,
    name: `small ${name}`,
    unet: { ...base.unet, ...configs["unet"], in_channels: 4, time_cond_proj_dim: null },
    autoencoder: configs["vae"]!,
    textEncoders: base.textEncoders.map(encoder) as unknown as ModelFamily["textEncoders"],
  };
}
