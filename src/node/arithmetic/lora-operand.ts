import { basename } from "node:path";
import type { ParameterChange } from "../../adapters/change.ts";
import type { ModelPart } from "../../adapters/keys/dialect.ts";
import type { PartModules } from "../../adapters/keys/match.ts";
import { loadModelAdapter, type PartAdapter } from "../../adapters/load.ts";
import type { LoraModule } from "../../adapters/lora.ts";
import { AdapterError } from "../../errors.ts";
import { openFileSource } from "../../formats/file-source.node.ts";
import { openTensorFile } from "../../formats/open-tensor-file.ts";
import { familyOf } from "../../generate/family.ts";
import { familyLayers, modelLayers } from "../../generate/read-lora.ts";
import { modelFamilies } from "../../models/checkpoint/families/index.ts";
import { besideRule } from "../read-lora.ts";
import { shippedModelFolder } from "../shipped-model.ts";
import { type Checkpoint, openCheckpoint, type PartName } from "./checkpoint.ts";

/** The parts that LoRAs change, with what key readers call them. */
const loraParts = [
  ["unet", "unet"],
  ["text_encoder", "textEncoder"],
  ["text_encoder_2", "textEncoder2"],
] as const satisfies readonly (readonly [PartName, ModelPart])[];

/** The layers of a model that LoRAs change. */
export interface LoraBase {
  readonly name: string;
  /** A published family; undefined when it is none. */
  readonly family: string | undefined;
  readonly layers: PartModules;
}

/** A LoRA's modules by the part of the model that they change. */
export interface LoraOperand {
  readonly name: string;
  readonly path: string;
  readonly parts: ReadonlyMap<PartName, readonly LoraModule[]>;
  /** All that is no low-rank product. */
  readonly changes: ReadonlyMap<PartName, readonly ParameterChange[]>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Keys that name no layer of the model. */
  readonly unmatched: readonly string[];
  /** Keys that were used. */
  readonly matched: number;
}

/** What a model offers to LoRAs. */
export function baseOf({ name, model }: Checkpoint): LoraBase {
  const { unet, textEncoder, second } = model;
  return {
    name,
    family: familyOf(unet.config)?.name,
    layers: modelLayers(unet.config, textEncoder.config, second?.textEncoder.config),
  };
}

/**
 * Reads what a LoRA of any kind holds for all parts of a model.
 * @throws AdapterError when none of its keys names a layer of the model, or most name none
 */
export async function readLoraOperand(path: string, base: LoraBase): Promise<LoraOperand> {
  await using source = await openFileSource(path);
  const file = await openTensorFile(source);
  const adapter = await loadModelAdapter(file, base.layers, await besideRule(path, file));
  const { matched, metadata } = adapter;
  const unmatched = [...adapter.unmatched, ...adapter.leftOver];
  if (unmatched.length > matched) {
    throw new AdapterError(
      `${basename(path)}: ${unmatched.length} of its ${unmatched.length + matched} keys, such as "${unmatched[0]}", name no layer of ${base.name}; it was made for another model.`,
    );
  }
  const found = { unet: adapter, textEncoder: adapter.textEncoder, textEncoder2: adapter.textEncoder2 };
  const filled = <T>(of: (part: PartAdapter) => readonly T[]): Map<PartName, readonly T[]> =>
    new Map(loraParts.map(([part, key]) => [part, of(found[key])] as const).filter(([, list]) => list.length > 0));
  return {
    name: basename(path),
    path,
    parts: filled(({ modules }) => modules),
    changes: filled(({ changes }) => changes),
    metadata,
    unmatched,
    matched,
  };
}

/** @throws AdapterError when a LoRA is more than low-rank products */
export function requireLowRank({ name, changes }: LoraOperand): void {
  const [other] = [...changes.values()].flat();
  if (other === undefined) return;
  throw new AdapterError(
    `${name}: its change of ${other.path} is of the kind ${other.kind}, but a plain LoRA is needed here; merge it into a model and extract one from that.`,
  );
}

/**
 * The model whose layers a LoRA has: the one that was named, else the one that comes with the package, else a published
 * family.
 * @throws AdapterError when no known model has its layers
 */
export async function findLoraBase(path: string, model: string | undefined): Promise<LoraBase> {
  if (model !== undefined) return modelBase(model);
  let refusal: unknown;
  let best: { readonly base: LoraBase; readonly matched: number } | undefined;
  for (const candidate of candidates()) {
    const base = await candidate();
    if (base === undefined) continue;
    try {
      const { matched, unmatched } = await readLoraOperand(path, base);
      if (best === undefined || matched > best.matched) best = { base, matched };
      if (unmatched.length === 0) break;
    } catch (error) {
      if (!(error instanceof AdapterError)) throw error;
      refusal ??= error;
    }
  }
  if (best !== undefined) return best.base;
  throw refusal;
}

/** The layers of a model's networks; it is closed again. */
async function modelBase(model: string): Promise<LoraBase> {
  await using checkpoint = await openCheckpoint(model);
  return baseOf(checkpoint);
}

function* candidates(): Generator<() => Promise<LoraBase | undefined>> {
  yield async () => {
    try {
      return await modelBase(shippedModelFolder());
    } catch {
      return undefined;
    }
  };
  for (const family of modelFamilies) {
    yield async () => ({ name: family.name, family: family.name, layers: familyLayers(family) });
  }
}
