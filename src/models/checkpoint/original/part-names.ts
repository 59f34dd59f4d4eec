import { clipTextConfig } from "../../clip.ts";
import { autoencoderTable, clipTextTable, type ParameterShape, unetTable } from "../../module-table.ts";
import type { UNetConfig } from "../../unet/config.ts";
import type { AutoencoderConfig } from "../../vae/config.ts";
import type { FamilyTextEncoder, OriginalPlace } from "../families/family.ts";
import { originalAutoencoderPath } from "./autoencoder-names.ts";
import type { OriginalTensor } from "./original-tensor.ts";
import { openClipTensor } from "./text-encoder-names.ts";
import { originalUNetPaths } from "./unet-names.ts";

/** Where each parameter of a network lies in a file of the original names, by the names that models ask for. */
export interface PartNames {
  readonly parameters: readonly ParameterShape[];
  /** Keys without the part's prefix. */
  readonly tensors: ReadonlyMap<string, OriginalTensor>;
}

/** Of a U-Net; the prefix is `model.diffusion_model.`. */
export function unetNames(config: UNetConfig): PartNames {
  const { parameters } = unetTable(config);
  const paths = originalUNetPaths(new Set(parameters.map(({ name }) => pathOf(name))));
  return named(parameters, (name) => join(paths.get(pathOf(name)), name));
}

/** Of an autoencoder; the prefix is `first_stage_model.`. */
export function autoencoderNames(config: AutoencoderConfig): PartNames {
  const { parameters } = autoencoderTable(config);
  const levels = config.channels.length;
  return named(parameters, (name) => join(originalAutoencoderPath(pathOf(name), levels), name));
}

/** Of a text encoder, in the names that the place has. */
export function textEncoderNames({ config }: FamilyTextEncoder, { names }: OriginalPlace): PartNames {
  const { parameters } = clipTextTable(clipTextConfig(config));
  return named(parameters, names === "openclip" ? openClipTensor : (name) => ({ key: name }));
}

function named(
  parameters: readonly ParameterShape[],
  originalOf: (name: string) => OriginalTensor | undefined,
): PartNames {
  const tensors = new Map<string, OriginalTensor>();
  for (const { name } of parameters) {
    const original = originalOf(name);
    if (original !== undefined) tensors.set(name, original);
  }
  return { parameters, tensors };
}

/** A parameter's name without its last piece, `weight` or `bias`. */
function pathOf(name: string): string {
  return name.slice(0, name.lastIndexOf("."));
}

function join(path: string | undefined, name: string): OriginalTensor | undefined {
  return path === undefined ? undefined : { key: path + name.slice(name.lastIndexOf(".")) };
}
