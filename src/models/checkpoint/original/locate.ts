import { CheckpointError } from "../../../errors.ts";
import type { TensorFile } from "../../../formats/tensor-file.ts";
import type { StoredTensor, StoredWeights } from "../stored-weights.ts";
import { partOf } from "./original-tensor.ts";
import type { PartNames } from "./part-names.ts";
import { guidanceKeys } from "./unet-layout.ts";

/** The tensors of a part that a file has, and the keys of those that it lacks. */
export interface FoundPart {
  readonly weights: StoredWeights;
  /** Keys that were found. */
  readonly keys: ReadonlySet<string>;
  /** Keys that were not, as the first code spells them. */
  readonly missing: readonly string[];
}

/**
 * Finds a part's parameters in a file; nothing is read.
 * @param prefix what the keys of the part begin with
 * @throws CheckpointError when a tensor cannot be parted into the parameters that it stands for
 */
export function locateParameters(
  { tensors: found, name: file }: TensorFile,
  prefix: string,
  { tensors: names }: PartNames,
): FoundPart {
  const tensors = new Map<string, StoredTensor>();
  const keys = new Set<string>();
  const missing = new Set<string>();
  for (const [name, original] of names) {
    const key = spellings(original.key)
      .map((spelling) => prefix + spelling)
      .find((spelling) => found.has(spelling));
    const located = key === undefined ? undefined : found.get(key);
    if (key === undefined || located === undefined) {
      missing.add(prefix + original.key);
      continue;
    }
    const entry = partOf(located.entry, original);
    if (entry === undefined) {
      throw new CheckpointError(
        `${file}: "${key}" has the shape [${located.entry.shape.join(", ")}], which cannot hold ${name}.`,
      );
    }
    keys.add(key);
    tensors.set(name, { file: located.source.name, source: located.source, entry });
  }
  const files = [...new Set(Array.from(tensors.values(), (stored) => stored.file))].sort();
  return { weights: { files, tensors }, keys, missing: [...missing] };
}

/** How a key may be spelled: some converters gave layers other names. */
function spellings(key: string): readonly string[] {
  if (guidanceKeys.includes(key)) return guidanceKeys;
  // Newer releases of transformers dropped a prefix of text encoders, which some files lack as well.
  return key.startsWith("text_model.") ? [key, key.slice("text_model.".length)] : [key];
}
