import { storedBytes } from "../../formats/safetensors-header.ts";
import { readEntry } from "../../formats/tensor-entry.ts";
import type { StoredTensor } from "../../models/checkpoint/stored-weights.ts";
import { toFloat32 } from "../../tensor/convert.ts";
import { elementCount, type Tensor } from "../../tensor/tensor.ts";

/** Numbers of a tensor that are worked on at a time. */
export const pieceSize: number = 2 ** 18;

/** The numbers of one tensor by range, in row-major order, whatever its type. */
export type PieceReader = (from: number, to: number) => Promise<Float32Array | Float64Array>;

/** Reads a tensor piece by piece; one whose elements do not follow each other is read at once and then kept. */
export function pieceReader({ source, entry }: Pick<StoredTensor, "source" | "entry">): PieceReader {
  if (entry.strides !== undefined) {
    let whole: Promise<Float32Array | Float64Array> | undefined;
    return async (from, to) => {
      whole ??= readEntry(source, entry).then(floats);
      return (await whole).subarray(from, to);
    };
  }
  const size = storedBytes(entry.type);
  return async (from, to) => {
    const piece = { ...entry, shape: [to - from], begin: entry.begin + from * size, end: entry.begin + to * size };
    return floats(await readEntry(source, piece));
  };
}

function floats(tensor: Tensor): Float32Array | Float64Array {
  return tensor.data instanceof Float64Array ? tensor.data : toFloat32(tensor).data;
}

/** The ranges of a shape's elements that are worked on one after the other. */
export function* ranges(shape: readonly number[]): Generator<readonly [from: number, to: number]> {
  const count = elementCount(shape);
  for (let from = 0; from < count; from += pieceSize) yield [from, Math.min(from + pieceSize, count)];
}
