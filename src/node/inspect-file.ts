import { basename, dirname } from "node:path";
import { openTensorFile } from "../formats/open-tensor-file.ts";
import { type TensorFile, unwrapStateDict } from "../formats/tensor-file.ts";
import { findBarePart } from "../models/checkpoint/bare-part.ts";
import { isComputed } from "../models/checkpoint/names.ts";
import {
  isOriginalModel,
  type OriginalOptions,
  readOriginalModel,
} from "../models/checkpoint/original/read-original.ts";
import { describeLora, type LoraBase, type LoraDescription } from "./inspect-lora.ts";
import { describeModel, type ModelDescription } from "./inspect-model.ts";
import { countTensors, type PartDescription } from "./inspect-part.ts";
import { openModelFolder } from "./model-folder.ts";

/** What a file with one network of a model holds. */
export interface BarePartDescription extends PartDescription {
  readonly kind: "part";
  /** What diffusers calls the part. */
  readonly part: string;
  readonly family: string;
  readonly layout: "diffusers" | "original";
}

/** What another file of tensors holds. */
export interface TensorsDescription {
  readonly kind: "tensors";
  readonly name: string;
  readonly format: string;
  readonly tensors: number;
  readonly parameters: number;
  readonly types: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

export type FileDescription = ModelDescription | LoraDescription | BarePartDescription | TensorsDescription;

/**
 * Says what a file of tensors holds, safetensors or a pickle: a model in the original names, one network of a model, a LoRA,
 * compared with the given bases and then with the well-known families, or other tensors.
 * @throws FormatError when it is no such file, AdapterError when it is a LoRA that no known base fits, CheckpointError when
 * it is a model of an unknown family
 */
export async function describeFile(
  path: string,
  bases: () => Promise<readonly LoraBase[]>,
  options: Partial<OriginalOptions> = {},
): Promise<FileDescription> {
  await using folder = await openModelFolder(dirname(path));
  const source = await folder.source(basename(path));
  const file = unwrapStateDict(await openTensorFile(source));
  if (isOriginalModel(file.tensors.keys())) return describeModel(await readOriginalModel(file, options));
  return (await describeLora(path, file, bases)) ?? describeBarePart(file, options) ?? describeTensors(file);
}

function describeBarePart(file: TensorFile, { families }: Partial<OriginalOptions>): BarePartDescription | undefined {
  const found = findBarePart(file, families);
  if (found === undefined) return undefined;
  const { part, class: className, family, layout, weights, missing, leftOver } = found;
  return {
    kind: "part",
    name: file.name,
    part,
    family,
    layout,
    class: className,
    files: weights.files,
    ...countTensors(weights.tensors.values()),
    missing,
    leftOver: leftOver.filter((key) => !isComputed(key)),
  };
}

function describeTensors({ name, format, tensors, metadata }: TensorFile): TensorsDescription {
  return {
    kind: "tensors",
    name,
    format,
    tensors: tensors.size,
    ...countTensors(tensors.values()),
    metadata: Object.fromEntries(metadata),
  };
}
