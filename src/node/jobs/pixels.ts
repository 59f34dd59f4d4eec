import { type Tensor, tensor } from "../../tensor/tensor.ts";
import type { PictureSize } from "../../training/data/crop.ts";
import type { PictureEntry } from "../../training/data/picture-set.ts";
import { decodePicture } from "../decode-picture.ts";

/** Sets up to this size stay decoded in memory; larger ones are decoded anew each time. */
const keptBytes = 1 << 30;

/** Decoded pictures of a set as maps `[3, n, height, width]` in [-1, 1]. */
export function pixelSource(
  entries: readonly PictureEntry[],
  size: PictureSize,
): (indices: readonly number[]) => Promise<Tensor<"float32">> {
  const positions = size.width * size.height;
  const keep = entries.length * 3 * positions * 4 <= keptBytes;
  const kept = new Map<number, Promise<Tensor<"float32">>>();
  const decode = async (index: number): Promise<Tensor<"float32">> => {
    const entry = entries[index]!;
    return decodePicture(await entry.read(), entry.name, { size });
  };
  const picture = (index: number): Promise<Tensor<"float32">> => {
    const known = kept.get(index) ?? decode(index);
    if (keep) kept.set(index, known);
    return known;
  };
  return async (indices) => {
    const pictures = await Promise.all(indices.map(picture));
    return batchOfMaps(pictures);
  };
}

/** Pictures or latents `[channels, h, w]` side by side as maps `[channels, n, h, w]`. */
export function batchOfMaps(items: readonly Tensor<"float32">[]): Tensor<"float32"> {
  const [channels, height, width] = items[0]!.shape as [number, number, number];
  const positions = height * width;
  const data = new Float32Array(channels * items.length * positions);
  items.forEach((item, n) => {
    for (let c = 0; c < channels; c++) {
      data.set(item.data.subarray(c * positions, (c + 1) * positions), (c * items.length + n) * positions);
    }
  });
  return tensor("float32", [channels, items.length, height, width], data);
}
