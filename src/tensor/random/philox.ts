import { seedWords } from "./seed.ts";

const round = Math.fround;
const inverse32 = round(2 ** -32);
const inverse32TwoPi = round(round(2 * Math.PI) * inverse32);

/**
 * Ten rounds of Philox4x32 (Salmon et al. 2011): `counter` (4 words) under a 64-bit key becomes four random words in `out`.
 *
 * A pure function of counter and key; `out` may be `counter` itself.
 */
export function philox4x32(counter: Uint32Array, keyLow: number, keyHigh: number, out: Uint32Array): void {
  let c0 = counter[0]! | 0;
  let c1 = counter[1]! | 0;
  let c2 = counter[2]! | 0;
  let c3 = counter[3]! | 0;
  let k0 = keyLow | 0;
  let k1 = keyHigh | 0;
  for (let i = 0; i < 10; i++) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const low0 = Math.imul(0xd2511f53, c0);
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** The upper 32 bits of the 64-bit product of two unsigned 32-bit numbers, from four products of 16 bits. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) | 0;
  const crossed = (Math.imul(aLow, bHigh) + (middle & 0xffff)) | 0;
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (crossed >>> 16)) | 0;
}

/**
 * The generator behind torch's CUDA tensors: one Philox counter an element, the call's number as its first word.
 *
 * Agrees with `torch.randn(..., device="cuda")` as long as each GPU thread makes one element, which holds up to
 * 2,048 elements for each multiprocessor (some 200,000 on a large card): latents of any usual picture.
 */
export class Philox {
  private readonly key: { readonly low: number; readonly high: number };
  private call: number = 0;

  /**
   * @param seed whole number from 0 to 2^53 - 1
   * @throws UsageError when the seed is no such number
   */
  constructor(seed: number) {
    this.key = seedWords(seed);
  }

  /** `torch.randn(count, device="cuda")` in float32; each call goes on in the stream. */
  randn(count: number): Float32Array {
    const out = new Float32Array(count);
    const counter = new Uint32Array(4);
    const words = new Uint32Array(4);
    for (let i = 0; i < count; i++) {
      counter[0] = this.call;
      counter[2] = i;
      philox4x32(counter, this.key.low, this.key.high, words);
      const u = round(round(words[0]! * inverse32) + inverse32 / 2);
      const angle = round(round(words[1]! * inverse32TwoPi) + inverse32TwoPi / 2);
      out[i] = round(Math.sqrt(round(-2 * round(Math.log(u))))) * round(Math.sin(angle));
    }
    this.call++;
    return out;
  }
}
