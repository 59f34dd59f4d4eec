import { type BlockWeights, parseBlockWeights } from "../../adapters/block-weights.ts";
import { parseStepWeights, type StepWeights, startAndStop } from "../../adapters/step-weights.ts";
import { UsageError } from "../../errors.ts";

/** How strongly a LoRA is applied. */
export interface LoraStrength {
  /** In the U-Net: lambda of any sign; where it changes with the steps, that of the first. */
  readonly weight: number;
  /** In the text encoders. */
  readonly textWeight: number;
  /** The U-Net's weight in each step, where it changes. */
  readonly steps?: StepWeights;
  /** Factors of its blocks. */
  readonly blocks?: BlockWeights;
}

/** Names that AUTOMATIC1111 and LoRA Block Weight give to a tag's items; what is not carried out is told. */
const itemNames = ["te", "unet", "lbw", "w", "start", "stop", "step"] as const;
const otherNames = ["lbwe", "dyn", "x"] as const;

type ItemName = (typeof itemNames)[number] | (typeof otherNames)[number];

/** What a strength is read from. */
interface Items {
  readonly numbers: readonly string[];
  readonly blocks: string | undefined;
  readonly named: ReadonlyMap<ItemName, string>;
}

/**
 * Reads what follows a LoRA's name, split at the colons, as AUTOMATIC1111 and its extension LoRA Block Weight do: the
 * weight, or the text encoders' weight and the U-Net's; block weights; `te=`, `unet=`, `lbw=`, `start=`, `stop=` and
 * `step=`. Beyond that a weight may change with the steps, `0.8@0-50%,0@50-100%`, and blocks may be named by any part of
 * their path, `up.1=0.5,attentions=0`.
 * @param written what errors name
 * @returns the strength, and the items that nothing is made of
 * @throws UsageError when a weight, a step or the block weights cannot be read
 */
export function parseLoraStrength(
  items: readonly string[],
  written: string,
): { readonly strength: LoraStrength; readonly ignored: readonly string[] } {
  const { numbers, blocks, named } = sortItems(items);
  const weigh = (text: string): number | StepWeights =>
    text.includes("@") ? parseStepWeights(text) : finite(text, "weight", written);
  const text = weigh(named.get("te") ?? numbers[0] ?? "1");
  const unetText = named.get("unet") ?? numbers[1];
  const unet = unetText === undefined ? text : weigh(unetText);
  const blockText = named.get("lbw") ?? named.get("w") ?? blocks;
  const spans = stepsOf(named, unet, written);
  return {
    strength: {
      weight: first(spans ?? unet),
      textWeight: first(text),
      ...(spans === undefined ? {} : { steps: spans }),
      ...(blockText === undefined ? {} : { blocks: parseBlockWeights(blockText) }),
    },
    ignored: [
      ...numbers.slice(2),
      ...otherNames.filter((name) => named.has(name)).map((name) => `${name}=${named.get(name)}`),
    ],
  };
}

function sortItems(items: readonly string[]): Items {
  const numbers: string[] = [];
  const named = new Map<ItemName, string>();
  let blocks: string | undefined;
  for (const item of items) {
    const equals = item.indexOf("=");
    const name = [...itemNames, ...otherNames].find((known) => equals >= 0 && item.slice(0, equals).trim() === known);
    if (name !== undefined) named.set(name, item.slice(equals + 1));
    // The weight comes first; behind it, a list and what is no number are about blocks.
    else if (equals < 0 && (numbers.length === 0 || isWeight(item))) numbers.push(item);
    else blocks = item;
  }
  return { numbers, blocks, named };
}

const isWeight = (item: string): boolean => item.includes("@") || (!item.includes(",") && /^\s*[-+.\d]/.test(item));

/** The weights of the steps, where they change. */
function stepsOf(
  named: ReadonlyMap<ItemName, string>,
  weight: number | StepWeights,
  written: string,
): StepWeights | undefined {
  const [start = named.get("start"), stop = named.get("stop")] = named.get("step")?.split("-") ?? [];
  if (start === undefined && stop === undefined) return typeof weight === "number" ? undefined : weight;
  if (typeof weight !== "number") {
    throw new UsageError(
      `${written}: the weight says already in which steps it counts; leave start, stop and step out.`,
    );
  }
  const step = (text: string | undefined): number | undefined =>
    text === undefined ? undefined : finite(text, "step", written);
  return startAndStop(weight, step(start), step(stop));
}

function first(weight: number | StepWeights): number {
  return typeof weight === "number" ? weight : weight.at(0, 1);
}

function finite(text: string, what: string, written: string): number {
  const number = Number(text);
  if (text.trim() !== "" && Number.isFinite(number)) return number;
  throw new UsageError(`${written}: the ${what} "${text}" must be a number, such as ${what === "step" ? 3 : 0.8}.`);
}
