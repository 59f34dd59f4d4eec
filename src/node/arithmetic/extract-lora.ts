import { distanceToChange, loraOfChange } from "../../adapters/arithmetic/low-rank-svd.ts";
import { type LoraModule, loraRank } from "../../adapters/lora.ts";
import type { SaveOptions } from "../../adapters/save.ts";
import { AdapterError } from "../../errors.ts";
import { squaredNorm } from "../../tensor/linear-algebra/matrix.ts";
import type { WantedValues } from "../../tensor/linear-algebra/truncated-svd.ts";
import type { Checkpoint, PartName } from "./checkpoint.ts";
import { baseOf } from "./lora-operand.ts";
import { checkInputs, type MergeResult, summary } from "./merge-model.ts";
import { layerChanges, otherChanges } from "./model-changes.ts";
import { checkLoraOutput, roundedModule, writeLora } from "./write-lora.ts";

/** How a LoRA is taken out of a model. */
export interface Extraction {
  /** The rank of each module, or the share of the squares of its singular values that it must hold. */
  readonly wanted: WantedValues;
  readonly type: SaveOptions["type"];
  readonly output: string;
  readonly signal?: AbortSignal;
  readonly onTensor?: (done: number, all: number) => void;
}

/** What became of one layer. */
export interface ExtractedLayer {
  /** With its part before a slash. */
  readonly layer: string;
  readonly rank: number;
  /** Frobenius norm of the layer's change. */
  readonly norm: number;
  /** Frobenius norm of what the LoRA, as it is stored, leaves out of the change, over the change's own. */
  readonly error: number;
}

/** What was extracted. */
export interface ExtractionResult extends MergeResult {
  readonly layers: readonly ExtractedLayer[];
  /** Parameters that changed and that no LoRA holds. */
  readonly leftOut: readonly string[];
}

/**
 * Writes the LoRA that comes nearest to what fine-tuning changed, layer by layer, by singular value decomposition. Layers that
 * did not change have no module.
 * @throws AdapterError when the models are of different kinds, or no layer changed
 */
export async function extractLora(
  fineTuned: Checkpoint,
  base: Checkpoint,
  extraction: Extraction,
): Promise<ExtractionResult> {
  const { wanted, type, output, signal, onTensor } = extraction;
  checkLoraOutput(output);
  await checkInputs([fineTuned, base], output);
  const changes = layerChanges(fineTuned, base);
  const leftOut = await otherChanges(fineTuned, base);
  const parts = new Map<PartName, LoraModule[]>();
  const layers: ExtractedLayer[] = [];
  const errors: { square: number; errorSquare: number }[] = [];
  for (const [done, { part, path, shape, read }] of changes.entries()) {
    signal?.throwIfAborted();
    onTensor?.(done, changes.length);
    const data = await read();
    const square = squaredNorm(data);
    if (square === 0) continue;
    if (!Number.isFinite(square)) {
      throw new AdapterError(`${part}/${path}: a number of its weight is not finite; one of the models is damaged.`);
    }
    const module = roundedModule(loraOfChange(path, { type: "float64", shape, data }, wanted).module, type);
    const errorSquare = distanceToChange(module, data) ** 2;
    errors.push({ square, errorSquare });
    const layer = `${part}/${path}`;
    layers.push({ layer, rank: loraRank(module), norm: Math.sqrt(square), error: Math.sqrt(errorSquare / square) });
    parts.set(part, [...(parts.get(part) ?? []), module]);
  }
  if (errors.length === 0) {
    throw new AdapterError(`${fineTuned.name} and ${base.name} have the same layers; there is nothing to extract.`);
  }
  const madeOf = [`${fineTuned.name}:1`, `${base.name}:-1`];
  await writeLora({ output, parts, type, base: baseOf(base), madeOf });
  return { ...summary(errors), layers, leftOut };
}
