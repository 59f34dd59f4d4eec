import { UsageError } from "../../errors.ts";
import { philox4x32 } from "./philox.ts";
import { seedWords } from "./seed.ts";

/**
 * Random numbers for training as a pure function of (seed, stream, step): the same at any time, in any order and in any
 * process, so that a run that was interrupted goes on with the very numbers it would have drawn.
 *
 * The element's place, the step and the stream are the counter of a Philox4x32 block and the seed is its key, hence
 * different streams, steps and seeds are independent. Numbers come in order: fewer of them are a prefix of more.
 */
export function counterUniform(seed: number, stream: string, step: number, count: number): Float32Array {
  const out = new Float32Array(count);
  forEachBlock(seed, stream, step, count, 0, (words, start) => {
    const end = Math.min(4, count - start);
    for (let j = 0; j < end; j++) out[start + j] = (words[j]! >>> 8) * 2 ** -24;
  });
  return out;
}

/** Standard normal numbers by Box-Muller from the stream's counters; see `counterUniform` for what they depend on. */
export function counterNormal(seed: number, stream: string, step: number, count: number): Float32Array {
  const out = new Float32Array(count);
  forEachBlock(seed, stream, step, count, 1, (words, start) => {
    for (let j = 0; j < 4; j += 2) {
      // (0, 1]: never the logarithm of zero.
      const radius = Math.sqrt(-2 * Math.log((words[j]! + 1) * 2 ** -32));
      const angle = words[j + 1]! * (2 * Math.PI * 2 ** -32);
      // Stores beyond the end of a typed array are ignored, which is what the last block needs.
      out[start + j] = radius * Math.cos(angle);
      out[start + j + 1] = radius * Math.sin(angle);
    }
  });
  return out;
}

/**
 * Whole numbers, each equally likely, from 0 to `bound` - 1; see `counterUniform` for what they depend on.
 * @throws UsageError when `bound` is not a whole number from 1 to 2^31
 */
export function counterIntegers(seed: number, stream: string, step: number, count: number, bound: number): Int32Array {
  if (!Number.isInteger(bound) || bound < 1 || bound > 2 ** 31) {
    throw new UsageError(
      `The bound of random whole numbers is ${bound}, but it must be a whole number from 1 to 2^31.`,
    );
  }
  const out = new Int32Array(count);
  forEachBlock(seed, stream, step, count, 2, (words, start) => {
    const end = Math.min(4, count - start);
    for (let j = 0; j < end; j++) out[start + j] = Math.floor(words[j]! * (bound * 2 ** -32));
  });
  return out;
}

/** A random order of the numbers 0 to `count` - 1 (Fisher-Yates); see `counterUniform` for what it depends on. */
export function counterPermutation(seed: number, stream: string, step: number, count: number): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  const picks = new Float64Array(count);
  forEachBlock(seed, stream, step, count, 3, (words, start) => {
    for (let j = 0; j < 4; j++) picks[start + j] = words[j]! * 2 ** -32;
  });
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(picks[i]! * (i + 1));
    const held = order[i]!;
    order[i] = order[j]!;
    order[j] = held;
  }
  return order;
}

/** Calls `use` with each block of four random words and the place of its first element. */
function forEachBlock(
  seed: number,
  stream: string,
  step: number,
  count: number,
  kind: number,
  use: (words: Uint32Array, start: number) => void,
): void {
  const { low, high } = seedWords(seed);
  if (!Number.isInteger(step) || step < 0 || step >= 2 ** 32) {
    throw new UsageError(`The step of a random stream is ${step}, but it must be a whole number from 0 to 2^32 - 1.`);
  }
  const name = hashName(stream);
  const counter = new Uint32Array(4);
  const words = new Uint32Array(4);
  counter[1] = step;
  counter[2] = name;
  // The kind keeps normals, uniforms and whole numbers of one stream independent of each other.
  counter[3] = kind;
  for (let start = 0; start < count; start += 4) {
    counter[0] = start / 4;
    philox4x32(counter, low, high, words);
    use(words, start);
  }
}

/** FNV-1a over the name's code units: 32 bits that differ for different stream names. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
