import { UsageError } from "../errors.ts";
import { originalUNetPaths } from "../models/checkpoint/original/unet-names.ts";
import { layersOfPart } from "./layer-part.ts";

/**
 * How strongly an adapter acts in each block of a U-Net: factors of parts of the layers' paths, or a list of numbers in the
 * order of Stable Diffusion's first code, as block weights are published.
 */
export type BlockWeights =
  | { readonly kind: "parts"; readonly parts: readonly PartWeight[] }
  | { readonly kind: "list"; readonly factors: readonly number[] }
  | { readonly kind: "preset"; readonly name: string };

/** A factor of all layers whose path has this part. */
export interface PartWeight {
  /** As people write it, e.g. `up.1.attentions`. */
  readonly part: string;
  readonly factor: number;
}

/** Block weights of one model: a factor for each layer, and one for the text encoders. */
export interface BlockFactors {
  readonly layer: (path: string) => number;
  readonly textEncoders: number;
}

/** Block weights that go by name, for U-Nets whose attention lies in sixteen blocks; the first number is the text encoders'. */
const presets: Readonly<Record<string, readonly number[]>> = {
  NONE: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  ALL: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  INS: [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  IND: [1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  INALL: [1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  MIDD: [1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
  OUTD: [1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0],
  OUTS: [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1],
  OUTALL: [1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  "ALL0.5": [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5],
};

/**
 * Reads block weights as people write them: `down=0.5,mid=1,up.0=0`, or a list `1,0,0.5,...`, or the name of a preset such
 * as `OUTALL`.
 * @throws UsageError when a factor is no finite number, or the text is none of these
 */
export function parseBlockWeights(text: string): BlockWeights {
  const pieces = text.split(",").map((piece) => piece.trim());
  const number = (piece: string, of: string): number => {
    const value = Number(piece);
    if (piece !== "" && Number.isFinite(value)) return value;
    throw new UsageError(`"${text}": the weight "${piece}" of ${of} must be a number, such as 0.5.`);
  };
  if (text.includes("=")) {
    const parts = pieces.map((piece) => {
      const [part = "", factor = "", ...more] = piece.split("=").map((side) => side.trim());
      if (part === "" || more.length > 0) {
        throw new UsageError(`"${text}": "${piece}" is no block with its weight; write such as down=0.5,mid=1,up=0.`);
      }
      return { part, factor: number(factor, part) };
    });
    return { kind: "parts", parts };
  }
  if (pieces.length > 1) return { kind: "list", factors: pieces.map((piece, i) => number(piece, `block ${i + 1}`)) };
  if (Object.hasOwn(presets, text.trim())) return { kind: "preset", name: text.trim() };
  throw new UsageError(
    `"${text}" are no block weights; write such as down=0.5,mid=1,up=0, a list of numbers, or one of ${Object.keys(presets).join(", ")}.`,
  );
}

/** The parts among block weights that weigh none of an adapter's layers, since it does not change them. */
export function idleParts(weights: BlockWeights, changed: readonly string[], paths: readonly string[]): string[] {
  if (weights.kind !== "parts") return [];
  const own = new Set(changed);
  const parts = weights.parts.map(({ part }) => part).filter((part) => part !== "text");
  return parts.filter((part) => !layersOfPart(part, paths).some((path) => own.has(path)));
}

/**
 * The factors of a model's layers. Of several parts that a layer has, the last that was written decides; layers that none
 * names keep 1. Unlike elsewhere, residual blocks and samplers are weighed as attention is.
 *
 * A list has a number for the text encoders, each input block, the middle and each output block: 26 for Stable Diffusion 1
 * and 2, 20 for SDXL. A shorter one, of 17 or 12, has numbers for the blocks with attention alone, and the others get 0.
 * @param paths of all layers of the U-Net
 * @throws UsageError when a part is in no path, or a list has another length than the model asks for
 */
export function blockFactors(weights: BlockWeights, paths: readonly string[]): BlockFactors {
  if (weights.kind !== "parts") return listFactors(weights, paths);
  const factors = new Map<string, number>();
  let textEncoders = 1;
  for (const { part, factor } of weights.parts) {
    if (part === "text") textEncoders = factor;
    else for (const path of layersOfPart(part, paths)) factors.set(path, factor);
  }
  return { layer: (path) => factors.get(path) ?? 1, textEncoders };
}

function listFactors(weights: Exclude<BlockWeights, { kind: "parts" }>, paths: readonly string[]): BlockFactors {
  const factors = weights.kind === "list" ? weights.factors : presets[weights.name]!;
  const blocks = originalBlocks(paths);
  const names = [...new Set(blocks.values())].sort((a, b) => place(a) - place(b));
  const attending = new Set([...blocks].filter(([path]) => path.includes("attentions.")).map(([, block]) => block));
  const short = names.filter((name) => attending.has(name) || name === middle);
  const listed = [names, short].find((list) => list.length + 1 === factors.length);
  if (listed === undefined) {
    const what = weights.kind === "list" ? "this list" : `the preset ${weights.name}`;
    throw new UsageError(
      `${what} has ${factors.length} block weights, but this model has ${names.length + 1} of them (text encoders, ${names[0]} to ${names.at(-1)}), or ${short.length + 1} for the blocks with attention.`,
    );
  }
  const byBlock = new Map(listed.map((name, i) => [name, factors[i + 1]!]));
  const layer = (path: string): number => {
    const block = blocks.get(path);
    return block === undefined ? 1 : (byBlock.get(block) ?? 0);
  };
  return { layer, textEncoders: factors[0]! };
}

const middle = "M00";

/** The block of each layer that lies in one: `IN04`, `M00`, `OUT11`. */
function originalBlocks(paths: readonly string[]): Map<string, string> {
  const blocks = new Map<string, string>();
  for (const [path, name] of originalUNetPaths(paths)) {
    const [, side, number = ""] = /^(input|middle|output)_blocks?\.(\d+)\./.exec(name) ?? [];
    if (side === undefined) continue;
    const two = number.padStart(2, "0");
    blocks.set(path, side === "middle" ? middle : `${side === "input" ? "IN" : "OUT"}${two}`);
  }
  return blocks;
}

/** Where a block stands in a list. */
function place(block: string): number {
  if (block === middle) return 1000;
  const number = Number(block.replace(/\D+/g, ""));
  return block.startsWith("IN") ? number : 1001 + number;
}
