import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { FormatError } from "../errors.ts";
import { openFileSource, writeFileAtomically } from "../formats/file-source.node.ts";
import { decodeSafetensors, encodeSafetensors } from "../formats/safetensors.ts";
import { float32 } from "../tensor/tensor.ts";

const fileName = /^best-(\d{8,})\.safetensors$/;
const tensorName = "weights";

function pathOf(folder: string, step: number): string {
  return join(folder, `best-${String(step).padStart(8, "0")}.safetensors`);
}

/** Writes the weights (a run's flat vector) that were the best when measured after a step. */
export async function writeBestWeights(folder: string, step: number, weights: Float32Array): Promise<void> {
  const bytes = encodeSafetensors({ [tensorName]: float32([weights.length], weights) }, { step: String(step) });
  await writeFileAtomically(pathOf(folder, step), bytes);
}

/**
 * Reads the weights that were kept at a step.
 * @throws FormatError when the file is missing or damaged, or holds another number of weights
 */
export async function readBestWeights(folder: string, step: number, length: number): Promise<Float32Array> {
  const path = pathOf(folder, step);
  const data = decodeSafetensors(await readWhole(path), path).get(tensorName)?.data;
  if (data instanceof Float32Array && data.length === length) return data;
  throw new FormatError(`${path}: it must hold ${length} float32 numbers`);
}

async function readWhole(path: string): Promise<Uint8Array> {
  try {
    await using source = await openFileSource(path);
    return await source.read(0, source.size);
  } catch (cause) {
    throw new FormatError(`${path}: the best weights cannot be read (${(cause as Error).message})`, { cause });
  }
}

/** Removes the weights of all steps but these. */
export async function forgetBestWeights(folder: string, kept: ReadonlySet<number>): Promise<void> {
  for (const name of await readdir(folder)) {
    const digits = fileName.exec(name)?.[1];
    if (digits !== undefined && !kept.has(Number(digits))) await rm(join(folder, name), { force: true });
  }
}
