import { elementCount, float32, type Tensor } from "../../src/tensor/tensor.ts";

/**
 * Numbers in [-1, 1) that follow from a name, so that fixtures need not store weights; `scripts/fixtures/models.py` computes
 * the same.
 *
 * The seed is the 32-bit FNV-1a hash of the name's UTF-8. Element i is murmur3's finaliser of `seed + i * 0x9E3779B9`
 * (mod 2^32), divided by 2^31, minus 1, in float64.
 */
export function uniform(name: string, count: number): Float64Array {
  let seed = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) seed = Math.imul(seed ^ byte, 0x01000193);
  return Float64Array.from({ length: count }, (_, i) => {
    let h = (seed + Math.imul(i, 0x9e3779b9)) >>> 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return ((h ^ (h >>> 16)) >>> 0) / 2 ** 31 - 1;
  });
}

/**
 * The tensor of a name: biases u / 10, weights of one axis 1 + u / 5, other weights u * sqrt(3 / fan-in), and whatever does
 * not end in `.weight` or `.bias` u * sqrt(3), of variance 1; rounded to float32.
 */
export function formula(name: string, shape: readonly number[]): Tensor<"float32"> {
  const fanIn = elementCount(shape.slice(1));
  const value = name.endsWith(".bias")
    ? (u: number): number => 0.1 * u
    : name.endsWith(".weight") && shape.length === 1
      ? (u: number): number => 1 + 0.2 * u
      : name.endsWith(".weight")
        ? (u: number): number => u * Math.sqrt(3 / fanIn)
        : (u: number): number => u * Math.sqrt(3);
  return float32(shape, Float32Array.from(uniform(name, elementCount(shape)), value));
}
