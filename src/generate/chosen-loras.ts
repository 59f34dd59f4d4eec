import { type BlockWeights, blockFactors, idleParts } from "../adapters/block-weights.ts";
import type { WeightedAdapter } from "../adapters/combine.ts";
import { printableKey } from "../adapters/keys/match.ts";
import type { ModelAdapter, PartAdapter } from "../adapters/load.ts";
import type { StepWeights } from "../adapters/step-weights.ts";
import type { DiffusersModel } from "../models/checkpoint/diffusers-folder.ts";
import { unetTable } from "../models/module-table.ts";
import type { Model, TextAdapters } from "./model.ts";
import type { LearnedWord } from "./prompt/learned-words.ts";
import { learnedWord } from "./prompt/textual-inversion.ts";

/** A LoRA's file, or its address, and how strongly it is applied. */
export interface LoraChoice {
  readonly path: string;
  /** Lambda in the U-Net, of any sign; where it changes with the steps, that of the first. */
  readonly weight: number;
  /** In the text encoders; as in the U-Net unless told. */
  readonly textWeight?: number;
  /** The U-Net's weight in each step, where it changes. */
  readonly steps?: StepWeights;
  /** Factors of its blocks (`parseBlockWeights`). */
  readonly blocks?: BlockWeights;
}

/** Gets a LoRA for a model. @throws AdapterError when it does not fit */
export type LoraReader = (path: string, files: DiffusersModel) => Promise<ModelAdapter>;

/** A LoRA that was read for a model, and how strongly it is applied. */
export interface ChosenAdapter {
  readonly path: string;
  readonly adapter: ModelAdapter;
  /** Lambda; where it changes with the steps, that of the first. */
  readonly weight: number;
  /** Lambda in each step, where it changes. */
  readonly steps?: StepWeights;
  /** What lambda is multiplied by in each layer of the U-Net; 1 unless told. */
  readonly layer?: (path: string) => number;
  /** Lambda in the text encoders; the U-Net's unless told. */
  readonly textWeight?: number;
  /** Parts among the block weights whose layers the LoRA does not change. */
  readonly idleParts?: readonly string[];
}

/**
 * Reads LoRAs for a model's U-Net and text encoders.
 * @param read gets one that is not known
 * @param known those that were read before, by path
 * @throws AdapterError naming the file and, where it can be told, its base, when one was made for another model; UsageError
 * when block weights do not fit the model
 */
export async function readChosenLoras(
  files: DiffusersModel,
  choices: readonly LoraChoice[],
  read: LoraReader,
  known: ReadonlyMap<string, ModelAdapter> = new Map(),
): Promise<ChosenAdapter[]> {
  if (choices.length === 0) return [];
  const paths = unetTable(files.unet.config).modules.map(({ path }) => path);
  const chosen: ChosenAdapter[] = [];
  for (const { path, weight, textWeight = weight, steps, blocks } of choices) {
    const factors = blocks === undefined ? undefined : blockFactors(blocks, paths);
    const adapter = known.get(path) ?? (await read(path, files));
    const changed = [...adapter.modules, ...adapter.changes].map((change) => change.path);
    chosen.push({
      path,
      adapter,
      weight,
      textWeight: textWeight * (factors?.textEncoders ?? 1),
      ...(steps === undefined ? {} : { steps }),
      ...(factors === undefined ? {} : { layer: factors.layer }),
      idleParts: blocks === undefined ? [] : idleParts(blocks, changed, paths),
    });
  }
  return chosen;
}

/** LoRAs with their lambdas, as networks take them: those of the first step, or of another one of so many. */
export function weightedAdapters(
  adapters: readonly ChosenAdapter[],
  [index, count]: readonly [index: number, count: number] = [0, 1],
): WeightedAdapter[] {
  return adapters.map(({ adapter: { modules, changes }, weight, steps, layer }) => {
    const lambda = steps === undefined ? weight : steps.at(index, count);
    return { modules, changes, lambda: layer === undefined ? lambda : (path) => lambda * layer(path) };
  });
}

/** The same of the text encoders, whose weights are those of all steps: a text is read once. */
export function weightedTextAdapters(adapters: readonly ChosenAdapter[]): TextAdapters {
  const of = (part: "textEncoder" | "textEncoder2"): WeightedAdapter[] =>
    adapters
      .filter(({ adapter }) => changesAny(adapter[part]))
      .map(({ adapter, weight, textWeight = weight }) => ({ ...adapter[part], lambda: textWeight }));
  return { textEncoder: of("textEncoder"), textEncoder2: of("textEncoder2") };
}

const changesAny = ({ modules, changes }: PartAdapter): boolean => modules.length + changes.length > 0;

/**
 * The words that may be used in prompts: those that were given, and those that LoRAs bring along. Where several bring one
 * word, the first has it, and what was given comes before all.
 * @throws UsageError when a LoRA's vectors do not fit the model's text encoders, FormatError when they are none
 */
export function withLoraWords(
  given: readonly LearnedWord[],
  adapters: readonly ChosenAdapter[],
  { name, textEncoder, second }: Model,
): readonly LearnedWord[] {
  const encoders = [textEncoder, ...(second === undefined ? [] : [second.textEncoder])];
  const learning = { name, widths: encoders.map(({ config }) => config.width) };
  const words = [...given];
  const taken = new Set(given.map(({ word }) => word.toLowerCase()));
  for (const { adapter } of adapters) {
    for (const [word, tensors] of adapter.words) {
      if (taken.has(word.toLowerCase())) continue;
      taken.add(word.toLowerCase());
      words.push(learnedWord(adapter.name, word, tensors, learning));
    }
  }
  return words;
}

/** What of a LoRA has no effect, one sentence each. */
export function adapterWarnings({ adapter, idleParts = [] }: ChosenAdapter): readonly string[] {
  const { name, matched, unmatched, leftOver } = adapter;
  const total = matched + unmatched.length + leftOver.length;
  const leftOut = (keys: readonly string[], reason: string): string[] =>
    keys.length === 0
      ? []
      : [`${name}: left out, as ${reason}: ${keys.length} of ${total} tensors, e.g. "${printableKey(keys[0] ?? "")}".`];
  return [
    ...leftOut(unmatched, "the model lacks their layers"),
    ...leftOut(leftOver, "they name no part of this model"),
    ...idleParts.map((part) => `${name}: it changes no layer of "${part}", so that the weight there has no effect.`),
  ];
}
