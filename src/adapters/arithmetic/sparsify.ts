import type { Mt19937 } from "../../tensor/random/mt19937.ts";

/** Sets some of a tensor's elements to zero, in place; the pieces of one tensor are given one after the other. */
export type Sparsifier = (piece: Float32Array) => void;

const lowBits = 16;
const lowMask = (1 << lowBits) - 1;

/**
 * Keeps the `kept` elements of largest magnitude; among equal ones the first. Nothing is sorted: `add` all pieces and
 * `endPass`, twice, then make a sparsifier.
 *
 * Magnitudes of float32 rise with their bits, so that the upper and then the lower half of the bits find the k-th largest.
 */
export class LargestMagnitudes {
  private readonly kept: number;
  private counts: Uint32Array = new Uint32Array(1 << lowBits);
  private pass = 0;
  /** Upper bits of the least magnitude that is kept, then all its bits. */
  private threshold = 0;
  /** How many elements of exactly that magnitude (in the first pass: of those bits) are kept. */
  private equals: number;

  /** @param kept number of elements to keep, at least 0 */
  constructor(kept: number) {
    this.kept = kept;
    this.equals = kept;
  }

  /** Takes a piece in; in the second pass the same pieces again. */
  add(piece: Float32Array): void {
    const bits = new Int32Array(piece.buffer, piece.byteOffset, piece.length);
    const { counts, pass, threshold } = this;
    for (let i = 0; i < bits.length; i++) {
      const magnitude = bits[i]! & 0x7fffffff;
      if (pass === 0) counts[magnitude >>> lowBits]!++;
      else if (magnitude >>> lowBits === threshold) counts[magnitude & lowMask]!++;
    }
  }

  /** Ends a pass. */
  endPass(): void {
    let bin = this.counts.length - 1;
    for (; bin > 0 && this.counts[bin]! < this.equals; bin--) this.equals -= this.counts[bin]!;
    this.threshold = this.pass === 0 ? bin : this.threshold * (lowMask + 1) + bin;
    this.counts = new Uint32Array(1 << lowBits);
    this.pass++;
  }

  /** Goes over the tensor's pieces a third time and keeps the largest. */
  sparsifier(): Sparsifier {
    let { equals } = this;
    const { kept, threshold } = this;
    return (piece) => {
      const bits = new Int32Array(piece.buffer, piece.byteOffset, piece.length);
      for (let i = 0; i < bits.length; i++) {
        const magnitude = bits[i]! & 0x7fffffff;
        if (kept > 0 && (magnitude > threshold || (magnitude === threshold && equals-- > 0))) continue;
        piece[i] = 0;
      }
    };
  }
}

/**
 * Keeps each element with probability `density` and divides what is kept by it, so that the expected value stays (DARE, Yu
 * and others 2023). Draws as `torch.bernoulli` of a float32 tensor does with the generator.
 */
export function randomSparsifier(density: number, generator: Mt19937): Sparsifier {
  const probability = Math.fround(density);
  return (piece) => {
    for (let i = 0; i < piece.length; i++) {
      const drawn = (generator.uint32() & 0xffffff) * 2 ** -24;
      piece[i] = drawn < probability ? piece[i]! / density : 0;
    }
  };
}
