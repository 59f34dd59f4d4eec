import type { ModelFamily } from "../models/checkpoint/families/family.ts";
import { ssd1b } from "../models/checkpoint/families/ssd-1b.ts";
import { stableDiffusion1 } from "../models/checkpoint/families/stable-diffusion-1.ts";
import { stableDiffusionXl } from "../models/checkpoint/families/stable-diffusion-xl.ts";
import { clipTextConfig } from "../models/clip.ts";
import { autoencoderTable, clipTextTable, type ModelTable, unetTable } from "../models/module-table.ts";
import { unetConfig } from "../models/unet/config.ts";
import { autoencoderConfig } from "../models/vae/config.ts";
import { elementCount } from "../tensor/tensor.ts";
import { lcmLoraTargets, type ModuleShape, targetKind, targetModules } from "./targets.ts";

/** How many layers an adapter changes, and with how many numbers. */
export interface LoraCount {
  readonly modules: number;
  readonly parameters: number;
}

/**
 * Numbers of a LoRA of one layer: `rank * (in + out)`, where a convolution's `in` counts its window too.
 *
 * A convolution's down part is a whole convolution to `rank` channels, its up part a 1x1 one back.
 */
export function loraParameters({ weight }: ModuleShape, rank: number): number {
  const [out = 0, ...inner] = weight;
  return rank * (inner.reduce((product, size) => product * size, 1) + out);
}

/** Numbers of an adapter of `rank` over these layers, such as the `targetModules` of a model. */
export function countLora(modules: readonly ModuleShape[], rank: number): LoraCount {
  let parameters = 0;
  for (const module of modules) parameters += loraParameters(module, rank);
  return { modules: modules.length, parameters };
}

/** The same for each kind of layer that occurs, in the order of the kinds. */
export function countLoraByKind(
  modules: readonly ModuleShape[],
  rank: number,
  kinds: readonly string[] = lcmLoraTargets,
): Map<string, LoraCount> {
  const counts = new Map<string, LoraCount>();
  for (const kind of kinds) {
    const ofKind = modules.filter(({ path }) => targetKind(path, kinds) === kind);
    if (ofKind.length > 0) counts.set(kind, countLora(ofKind, rank));
  }
  return counts;
}

/** A model of the paper's Table 1, counted. */
export interface TableRow {
  /** As the paper calls it. */
  readonly model: string;
  /** Parameters of the U-Net, which is what is distilled. */
  readonly full: number;
  /** Parameters of its LCM-LoRA. */
  readonly lora: number;
  /** Layers that the LCM-LoRA changes. */
  readonly modules: number;
  /** Parameters of the text encoders, which stay as they are. */
  readonly textEncoders: number;
  /** Parameters of the autoencoder, which stays as it is. */
  readonly autoencoder: number;
}

/** The paper's models in its order. */
const paperModels: readonly (readonly [string, ModelFamily])[] = [
  ["SD-V1.5", stableDiffusion1],
  ["SSD-1B", ssd1b],
  ["SDXL", stableDiffusionXl],
];

/**
 * Full and trainable parameters of the paper's three models, counted over the layers that their configurations build.
 * @param rank of the LCM-LoRAs; the published ones have 64
 * @paper table 1
 */
export function parameterTable(rank = 64): readonly TableRow[] {
  return paperModels.map(([model, family]) => {
    const unet = unetTable(unetConfig(family.unet));
    const { modules, parameters: lora } = countLora(targetModules(unet.modules), rank);
    const texts = family.textEncoders.map(({ config }) => sizeOf(clipTextTable(clipTextConfig(config))));
    return {
      model,
      full: sizeOf(unet),
      lora,
      modules,
      textEncoders: texts.reduce((sum, size) => sum + size, 0),
      autoencoder: sizeOf(autoencoderTable(autoencoderConfig(family.autoencoder))),
    };
  });
}

function sizeOf({ parameters }: ModelTable): number {
  return parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);
}
