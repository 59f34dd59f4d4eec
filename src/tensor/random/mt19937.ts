import { seedWords } from "./seed.ts";

const stateSize = 624;
const shiftSize = 397;

const round = Math.fround;
const twoPi32 = round(2 * Math.PI);

/**
 * The generator behind torch's CPU tensors: Mersenne Twister 19937, with torch's own ways to uniform and normal numbers.
 *
 * One object is one `torch.Generator`: calls draw from the same stream in order. `randn` follows torch's two routes,
 * which use different numbers of draws: blocks of sixteen in float32 from 16 elements on, single values in float64 below.
 */
export class Mt19937 {
  private readonly state: Uint32Array = new Uint32Array(stateSize);
  private position: number = stateSize;
  /** The second value of the last float64 pair, which torch keeps for the next short request. */
  private spareNormal: number | undefined;

  /**
   * @param seed whole number from 0 to 2^53 - 1; like torch, only its low 32 bits count
   * @throws UsageError when the seed is no such number
   */
  constructor(seed: number) {
    const { state } = this;
    state[0] = seedWords(seed).low;
    for (let i = 1; i < stateSize; i++) {
      const previous = state[i - 1]!;
      state[i] = Math.imul(1812433253, previous ^ (previous >>> 30)) + i;
    }
  }

  /** The next 32 random bits as a whole number from 0 to 2^32 - 1. */
  uint32(): number {
    if (this.position === stateSize) this.refill();
    let y = this.state[this.position++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    y ^= y >>> 18;
    return y >>> 0;
  }

  /** `torch.rand(count)`: float32 numbers in [0, 1), 24 bits each. */
  uniform(count: number): Float32Array {
    const out = new Float32Array(count);
    for (let i = 0; i < count; i++) out[i] = this.uniform24();
    return out;
  }

  /** `torch.randn(count)` in float32: standard normal numbers, one stream for all calls. */
  randn(count: number): Float32Array {
    const out = new Float32Array(count);
    if (count < 16) {
      for (let i = 0; i < count; i++) out[i] = this.normal53();
      return out;
    }
    for (let i = 0; i < count; i++) out[i] = this.uniform24();
    for (let start = 0; start + 16 <= count; start += 16) normalsFromUniforms(out, start);
    if (count % 16 !== 0) {
      // The tail shares elements with the block before it, so torch draws the last sixteen anew.
      const start = count - 16;
      for (let i = start; i < count; i++) out[i] = this.uniform24();
      normalsFromUniforms(out, start);
    }
    return out;
  }

  private uniform24(): number {
    return (this.uint32() & 0xffffff) * 2 ** -24;
  }

  private uniform53(): number {
    const high = this.uint32();
    const low = this.uint32();
    return ((high & 0x1fffff) * 2 ** 32 + low) * 2 ** -53;
  }

  private normal53(): number {
    if (this.spareNormal !== undefined) {
      const value = this.spareNormal;
      this.spareNormal = undefined;
      return value;
    }
    const angle = 2 * Math.PI * this.uniform53();
    const radius = Math.sqrt(-2 * Math.log1p(-this.uniform53()));
    this.spareNormal = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  private refill(): void {
    const { state } = this;
    for (let i = 0; i < stateSize; i++) {
      const y = (state[i]! & 0x80000000) | (state[(i + 1) % stateSize]! & 0x7fffffff);
      state[i] = state[(i + shiftSize) % stateSize]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.position = 0;
  }
}

/** Box-Muller on sixteen uniforms in place, in float32: eight radii from the first half, eight angles from the second. */
function normalsFromUniforms(data: Float32Array, start: number): void {
  for (let i = start; i < start + 8; i++) {
    const radius = round(Math.sqrt(round(-2 * round(Math.log(1 - data[i]!)))));
    const angle = round(twoPi32 * data[i + 8]!);
    data[i] = radius * round(Math.cos(angle));
    data[i + 8] = radius * round(Math.sin(angle));
  }
}
