import { type Tensor, tensor } from "../../tensor/tensor.ts";
import type { PictureSize } from "../../training/data/crop.ts";
import type { PictureEntry } from "../../training/data/picture-set.ts";
import { decodePicture } from "../decode-picture.ts";

/** Sets up to this size stay decoded in memory; larger ones are decoded anew each time. */
const keptBytes = 1 << 30;

/** Pictures at these places of a set as maps `[3, n, height, width]` in [-1, 1]; `mirrored` says of each which one. */
export type PixelSource = (indices: readonly number[], mirrored?: readonly boolean[]) => Promise<Tensor<"float32">>;

/** Decodes the pictures of a set when they are asked for. */
export function pixelSource(entries: readonly PictureEntry[], size: PictureSize): PixelSource {
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
  return async (indices, mirrored = []) => {
    const pictures = await Promise.all(indices.map(picture));
    return batchOfMaps(pictures.map((one, i) => (mirrored[i] === true ? mirror(one) : one)));
  };
}

/** Left and right exchanged. @param picture `[channels, height, width]` */
function mirror(picture: Tensor<"float32">): Tensor<"float32"> {
  const width = picture.shape[2]!;
  const data = new Float32Array(picture.data.length);
  for (let row = 0; row < data.length; row += width) {
    for (let x = 0; x < width; x++) data[row + x] = picture.data[row + width - 1 - x]!;
  }
  return { ...picture, data };
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

/** The members of maps `[channels, n, h, w]`, each `[channels, h, w]`. */
export function mapsApart(maps: Tensor<"float32">): Tensor<"float32">[] {
  const [channels, count, height, width] = maps.shape as [number, number, number, number];
  const positions = height * width;
  return Array.from({ length: count }, (_, n) => {
    const data = new Float32Array(channels * positions);
    for (let c = 0; c < channels; c++) {
      data.set(maps.data.subarray((c * count + n) * positions, (c * count + n + 1) * positions), c * positions);
    }
    return tensor("float32", [channels, height, width], data);
  });
}
