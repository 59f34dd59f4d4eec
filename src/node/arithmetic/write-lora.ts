import { basename } from "node:path";
import type { LoraModule } from "../../adapters/lora.ts";
import { type SaveOptions, saveAdapter } from "../../adapters/save.ts";
import { UsageError } from "../../errors.ts";
import { writeFileAtomically } from "../../formats/file-source.node.ts";
import { decodeSafetensors, encodeSafetensors } from "../../formats/safetensors.ts";
import { fromFloat32, toFloat32 } from "../../tensor/convert.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { PartName } from "./checkpoint.ts";
import { loraHashes, loraMetadata } from "./lora-metadata.ts";
import type { LoraBase } from "./lora-operand.ts";

/** A LoRA that is written. */
export interface NewLora {
  readonly output: string;
  readonly parts: ReadonlyMap<PartName, readonly LoraModule[]>;
  readonly type: SaveOptions["type"];
  /** What it changes. */
  readonly base: LoraBase;
  /** Names of the files that it was made of. */
  readonly madeOf: readonly string[];
}

/** @throws UsageError when the output has no name that LoRAs have */
export function checkLoraOutput(output: string): void {
  if (output.endsWith(".safetensors")) return;
  throw new UsageError(`${output}: the result is a LoRA; give a name that ends in .safetensors.`);
}

/**
 * Writes a LoRA in the published form, with what web interfaces and sd-scripts look for in its metadata.
 * @throws AdapterError when a number is beyond the type, UsageError when the file cannot be written
 */
export async function writeLora({ output, parts, type, base, madeOf }: NewLora): Promise<void> {
  checkLoraOutput(output);
  const unet = parts.get("unet") ?? [];
  const encoders = [parts.get("text_encoder") ?? []];
  if (base.layers.textEncoder2 !== undefined) encoders.push(parts.get("text_encoder_2") ?? []);
  const title = basename(output).replace(/\.safetensors$/, "");
  const metadata = loraMetadata({ title, family: base.family, modules: [...parts.values()].flat(), madeOf });
  const hashed = Object.fromEntries(Object.entries(metadata).filter(([key]) => key.startsWith("ss_")));
  const save = (texts: Readonly<Record<string, string>>): Uint8Array =>
    saveAdapter(unet, { type, metadata: texts, textEncoders: encoders });
  const hashes = loraHashes(encodeSafetensors(decodeSafetensors(save({}), title), hashed));
  await writeFileAtomically(output, save({ ...metadata, ...hashes }));
}

/** The module as its file has it. */
export function roundedModule(module: LoraModule, type: SaveOptions["type"]): LoraModule {
  const round = (tensor: Tensor): Tensor => fromFloat32(toFloat32(tensor), type);
  return { ...module, down: round(module.down), up: round(module.up) };
}
