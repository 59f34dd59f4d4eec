import { basename } from "node:path";
import { type LoadedAdapter, loadAdapter } from "../../adapters/load.ts";
import type { LoraModule } from "../../adapters/lora.ts";
import { AdapterError } from "../../errors.ts";
import { openFileSource } from "../../formats/file-source.node.ts";
import { familyModules, familyOf, knownFamilies } from "../../generate/family.ts";
import { modelFamilies } from "../../models/checkpoint/families/index.ts";
import { clipTextConfig } from "../../models/clip.ts";
import { clipTextTable, type ModuleEntry } from "../../models/module-table.ts";
import { shippedModelFolder } from "../shipped-model.ts";
import { type Checkpoint, openCheckpoint, type PartName } from "./checkpoint.ts";

/** The parts that LoRAs change, with what key readers call them. */
const loraParts = [
  ["unet", "unet"],
  ["text_encoder", "textEncoder"],
  ["text_encoder_2", "textEncoder2"],
] as const satisfies readonly (readonly [PartName, string])[];

/** The layers of a model that LoRAs change. */
export interface LoraBase {
  readonly name: string;
  /** A published family; undefined when it is none. */
  readonly family: string | undefined;
  modules(part: PartName): readonly ModuleEntry[];
}

/** A LoRA's modules by the part of the model that they change. */
export interface LoraOperand {
  readonly name: string;
  readonly path: string;
  readonly parts: ReadonlyMap<PartName, readonly LoraModule[]>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Keys that name no layer of the model. */
  readonly unmatched: readonly string[];
  /** Keys that were used. */
  readonly matched: number;
}

/** What a model offers to LoRAs. */
export function baseOf(checkpoint: Checkpoint): LoraBase {
  const family = familyOf(checkpoint.model.unet.config)?.name;
  return { name: checkpoint.name, family, modules: (part) => checkpoint.modules(part) };
}

/**
 * Reads a LoRA's modules for all parts of a model.
 * @throws AdapterError when none of its keys names a layer of the model, or most name none
 */
export async function readLoraOperand(path: string, base: LoraBase): Promise<LoraOperand> {
  await using source = await openFileSource(path);
  const parts = new Map<PartName, readonly LoraModule[]>();
  let refusal: unknown;
  let last: LoadedAdapter | undefined;
  let matched = 0;
  const unmatched = new Set<string>();
  for (const [part, read] of loraParts) {
    const modules = base.modules(part);
    if (modules.length === 0) continue;
    try {
      const adapter = await loadAdapter(source, modules, { part: read });
      parts.set(part, adapter.modules);
      matched += adapter.matched;
      for (const key of adapter.unmatched) unmatched.add(key);
      last = adapter;
    } catch (error) {
      // A LoRA need not change every part; the U-Net's refusal is what is told where none is changed.
      if (!(error instanceof AdapterError)) throw error;
      refusal ??= error;
      if (part === "unet" && !/none of its \d+ keys/.test(error.message)) throw error;
    }
  }
  if (last === undefined) throw refusal;
  if (unmatched.size > matched) {
    throw new AdapterError(
      `${basename(path)}: ${unmatched.size} of its ${unmatched.size + matched} keys, such as "${[...unmatched][0]}", name no layer of ${base.name}; it was made for another model.`,
    );
  }
  return { name: basename(path), path, parts, metadata: last.metadata, unmatched: [...unmatched], matched };
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
  for (const family of knownFamilies()) {
    const encoders = modelFamilies.find(({ name }) => name === family.name)?.textEncoders ?? [];
    const modules = (part: PartName): readonly ModuleEntry[] => {
      if (part === "unet") return familyModules(family);
      const encoder = part === "text_encoder" ? encoders[0] : part === "text_encoder_2" ? encoders[1] : undefined;
      return encoder === undefined ? [] : clipTextTable(clipTextConfig(encoder.config)).modules;
    };
    yield async () => ({ name: family.name, family: family.name, modules });
  }
}
