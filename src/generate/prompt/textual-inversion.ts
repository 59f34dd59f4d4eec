import { FormatError, UsageError } from "../../errors.ts";
import { storedTypeName } from "../../formats/safetensors-header.ts";
import { type LocatedTensor, readLocated, type TensorFile } from "../../formats/tensor-file.ts";
import { toFloat32 } from "../../tensor/convert.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { LearnedWord } from "./learned-words.ts";

/** What words are learned for. */
export interface LearningModel {
  readonly name: string;
  /** Widths of its text encoders, one or two. */
  readonly widths: readonly number[];
}

/** More vectors than this are no words. */
const mostVectors = 1024;

/** Names of the two encoders' vectors in files for SDXL. */
const pairs: readonly (readonly [string, string])[] = [
  ["clip_l", "clip_g"],
  ["text_encoders_0", "text_encoders_1"],
];

/** Names of the vectors in files that do not say the word: A1111's pickles, and what other programs write. */
const nameless = /^(?:string_to_param\.(?:_parameters\.)?.*|emb_params)$/;

/** Bases by the widths of their text encoders. */
const bases: Readonly<Record<string, string>> = {
  "768": "Stable Diffusion 1.x",
  "1024": "Stable Diffusion 2.x",
  "768+1280": "SDXL",
};

/**
 * Reads a file of textual inversion: diffusers' (vectors by word, one or several), A1111's (`string_to_param`), or SDXL's
 * (`clip_l` and `clip_g`).
 * @param word that stands for the vectors in prompts; that of the file unless told, or its name where it says none
 * @throws FormatError when the file holds no vectors, UsageError when they do not fit the model, or are of several words
 */
export async function readTextualInversion(
  file: TensorFile,
  model: LearningModel,
  word: string | undefined,
): Promise<LearnedWord[]> {
  const stem = file.name.replace(/\.[^.]*$/, "");
  const entries = [...file.tensors];
  const pair = pairs.find((names) => names.every((name) => file.tensors.has(name)));
  const own = entries.find(([name]) => nameless.test(name));
  const words: [string, readonly LocatedTensor[]][] =
    pair !== undefined
      ? [[stem, pair.map((name) => file.tensors.get(name)!)]]
      : own !== undefined
        ? [[stem, [own[1]]]]
        : entries.map(([name, located]) => [name, [located]]);
  if (words.length === 0) throw new FormatError(`${file.name}: there are no vectors in this file.`);
  if (word !== undefined && words.length > 1) {
    const names = words.map(([name]) => name).join(", ");
    throw new UsageError(
      `${file.name}: it holds ${words.length} words (${names}), which cannot all be called "${word}".`,
    );
  }
  const learned: LearnedWord[] = [];
  for (const [name, located] of words) {
    const vectors: (readonly Float32Array[])[] = [];
    for (const one of located) vectors.push(await readVectors(file.name, name, one));
    checkWidths(file.name, vectors, model);
    learned.push({ word: word ?? name, file: file.name, vectors });
  }
  return learned;
}

/**
 * A word whose vectors came along with something else, such as a LoRA.
 * @param tensors `[width]` or `[n, width]`, one for each text encoder
 * @throws FormatError when they are no vectors, UsageError when they do not fit the model
 */
export function learnedWord(file: string, word: string, tensors: readonly Tensor[], model: LearningModel): LearnedWord {
  const vectors = tensors.map((tensor) => vectorsOf(file, word, tensor, tensor.type));
  checkWidths(file, vectors, model);
  return { word, file, vectors };
}

async function readVectors(file: string, name: string, located: LocatedTensor): Promise<Float32Array[]> {
  const { shape, type } = located.entry;
  checkShape(file, name, shape);
  return vectorsOf(file, name, await readLocated(located), storedTypeName(type));
}

function checkShape(file: string, name: string, shape: readonly number[]): void {
  const [count, width] = countAndWidth(shape);
  if (shape.length < 1 || shape.length > 2 || count < 1 || count > mostVectors || width < 1) {
    throw new FormatError(
      `${file}: "${name}" has the shape [${shape.join(", ")}]; textual inversion has [width] or [vectors, width].`,
    );
  }
}

const countAndWidth = (shape: readonly number[]): readonly [count: number, width: number] =>
  shape.length === 1 ? [1, shape[0]!] : [shape[0] ?? 0, shape[1] ?? 0];

function vectorsOf(file: string, name: string, tensor: Tensor, type: string): Float32Array[] {
  checkShape(file, name, tensor.shape);
  if (!["float64", "float32", "float16", "bfloat16"].includes(tensor.type)) {
    throw new FormatError(`${file}: "${name}" is of type ${type}; vectors must be F64, F32, F16 or BF16.`);
  }
  const [count, width] = countAndWidth(tensor.shape);
  const { data } = toFloat32(tensor);
  return Array.from({ length: count }, (_, i) => data.slice(i * width, (i + 1) * width));
}

function checkWidths(
  file: string,
  vectors: readonly (readonly Float32Array[])[],
  { name, widths }: LearningModel,
): void {
  const [first, ...others] = vectors;
  if (others.some(({ length }) => length !== first!.length)) {
    const counts = vectors.map(({ length }) => length).join(" and ");
    throw new FormatError(
      `${file}: it has ${counts} vectors for its text encoders, but there must be as many for each.`,
    );
  }
  const received = vectors.map((list) => list[0]!.length);
  if (received.join("+") === widths.join("+")) return;
  const base = bases[received.join("+")];
  const made = base === undefined ? "for another model" : `for ${base}`;
  throw new UsageError(
    `${file}: its vectors are ${received.join(" and ")} wide, made ${made}, but ${name} takes ${widths.join(" and ")}.`,
  );
}
