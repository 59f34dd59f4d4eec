import type { Tensor } from "../tensor/tensor.ts";
import type { ByteSource } from "./byte-source.ts";
import { readEntry, type TensorEntry } from "./tensor-entry.ts";
import type { PickleValue } from "./torch/pickle-value.ts";

/** How a set of tensors is stored: safetensors, `torch.save` of torch 1.6 and later, of earlier ones, or shards of either. */
export type TensorFormat = "safetensors" | "torch-zip" | "torch-legacy" | "sharded";

/** One tensor, found and not read. */
export interface LocatedTensor {
  /** The file that holds it: of shards, the one. */
  readonly source: ByteSource;
  readonly entry: TensorEntry;
}

/** The tensors of a file, or of several that belong together; nothing but headers has been read. */
export interface TensorFile {
  /** What errors call it. */
  readonly name: string;
  readonly format: TensorFormat;
  /** By name, in the file's order. In pickles the names are paths, e.g. `state_dict.first_stage_model.quant_conv.bias`. */
  readonly tensors: ReadonlyMap<string, LocatedTensor>;
  /** The texts that safetensors files carry; of shards, those of all. */
  readonly metadata: ReadonlyMap<string, string>;
  /** All that a pickle says, tensors among it; undefined for safetensors and shards. */
  readonly content: PickleValue | undefined;
  /** Names of unknown classes whose objects a pickle holds beside its tensors, sorted; they were left inert. */
  readonly inertClasses: readonly string[];
}

/**
 * Reads one tensor in its file's type; types that no tensor holds are widened without loss (see `readEntry`).
 * @throws FormatError when the file ends before the tensor
 */
export async function readLocated({ source, entry }: LocatedTensor): Promise<Tensor> {
  return readEntry(source, entry);
}

/** Keys under which training programs keep a model's tensors beside other things. */
const wrappings: readonly string[] = ["state_dict", "model_state_dict", "module"];

/**
 * The model's tensors of a training checkpoint: those below `state_dict` (or `model_state_dict`, `module`), by the names that
 * they have there. A file without such a level is returned as it is. Entries keep the names of the file.
 */
export function unwrapStateDict(file: TensorFile): TensorFile {
  for (const wrapping of wrappings) {
    const prefix = `${wrapping}.`;
    const inner = [...file.tensors].filter(([name]) => name.startsWith(prefix));
    if (file.content === undefined || inner.length === 0) continue;
    return { ...file, tensors: new Map(inner.map(([name, located]) => [name.slice(prefix.length), located])) };
  }
  return file;
}
