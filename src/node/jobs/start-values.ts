import { mergeAdapters } from "../../adapters/combine.ts";
import { type LoadedAdapter, loadAdapter } from "../../adapters/load.ts";
import { loraRank } from "../../adapters/lora.ts";
import { loraDownName, loraUpName } from "../../adapters/lora-rule.ts";
import { targetKind } from "../../adapters/targets.ts";
import { UsageError } from "../../errors.ts";
import { openFileSource } from "../../formats/file-source.node.ts";
import { sameShape } from "../../graph/shapes.ts";
import { unetTable } from "../../models/module-table.ts";
import { toFloat32 } from "../../tensor/convert.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { AdapterConfig } from "../../training/config/lora.ts";
import type { TrainableParameter } from "../../training/parameters.ts";
import { loraPrefix, unetPrefix } from "../../training/roles.ts";
import type { MemoryModel, Weights } from "./memory-model.ts";

/** First values of trainable parameters, by their names. */
export type StartValues = ReadonlyMap<string, Tensor<"float32">>;

/** A network's values from its weights; `prefix` goes before their names. */
export function startFromPart(tensors: ReadonlyMap<string, Tensor>, prefix: string): StartValues {
  return new Map(Array.from(tensors, ([name, tensor]) => [prefix + name, toFloat32(tensor)]));
}

/**
 * Values that are there for every parameter, in its shape.
 * @param start what the config's "start" names
 * @throws UsageError naming the first parameter that is missing or of another shape
 */
export function requireFitting(
  values: StartValues,
  parameters: readonly Pick<TrainableParameter, "name" | "shape">[],
  start: string,
): StartValues {
  for (const { name, shape } of parameters) {
    const found = values.get(name)?.shape;
    if (found !== undefined && sameShape(found, shape)) continue;
    const instead = found === undefined ? "nothing of that name" : `[${found.join(", ")}]`;
    throw new UsageError(
      `"start": ${start} does not fit the networks of this config: for ${name} [${shape.join(", ")}] it has ${instead}; begin with a model of the same configuration, or with "none"`,
    );
  }
  return values;
}

/** A whole U-Net's values from its weights. */
export function startFromBase(tensors: ReadonlyMap<string, Tensor>): StartValues {
  return startFromPart(tensors, unetPrefix);
}

/**
 * Reads the adapter that a run begins with.
 * @throws UsageError when there is no such file; AdapterError when it was made for another model
 */
export async function readStartAdapter(path: string, { unet }: MemoryModel): Promise<LoadedAdapter> {
  await using source = await openFileSource(path);
  return await loadAdapter(source, unetTable(unet.config).modules);
}

/** A whole U-Net's values from its weights with an adapter merged in. */
export function startFromMerged(tensors: Weights, { modules }: LoadedAdapter): StartValues {
  return startFromBase(mergeAdapters(tensors, [{ lambda: 1, modules }]));
}

/**
 * An adapter's values from another one's, which must have the same rank and alpha and no layer beside the targets; layers
 * that it lacks begin afresh.
 * @throws UsageError naming what differs
 */
export function startFromAdapter({ name, modules }: LoadedAdapter, config: AdapterConfig): StartValues {
  const { rank, alpha, targets } = config;
  const values = new Map<string, Tensor<"float32">>();
  for (const module of modules) {
    const { path, down, up } = module;
    if (loraRank(module) !== rank || module.alpha !== alpha) {
      throw new UsageError(
        `${name}: its rank is ${loraRank(module)} and its alpha ${module.alpha} at ${path}, but the config has "rank" ${rank} and "alpha" ${alpha}; they must agree`,
      );
    }
    if (targetKind(path, targets) === undefined) {
      throw new UsageError(`${name}: it adapts ${path}, which "targets" leaves out; add the end of its path`);
    }
    values.set(loraPrefix + loraDownName(path), toFloat32(down));
    values.set(loraPrefix + loraUpName(path), toFloat32(up));
  }
  return values;
}
