/**
 * float32 to and from float16 and bfloat16, held as bits in a `Uint16Array`.
 *
 * Rounding is to nearest, ties to even, as IEEE 754 and torch do; subnormals, infinities and the sign of zero are kept,
 * every NaN becomes the quiet NaN of its sign. Halves become floats by van der Zijp's tables (Fast Half Float Conversions).
 */

interface HalfTables {
  /** Float bits of each significand, subnormals first (1,024), then normals (1,024). */
  readonly significand: Uint32Array;
  /** What the sign and exponent (6 bits) add. */
  readonly exponent: Uint32Array;
  /** Which half of `significand` belongs to the sign and exponent. */
  readonly offset: Uint16Array;
}

const halfTables: HalfTables = buildHalfTables();

function buildHalfTables(): HalfTables {
  const significand = new Uint32Array(2048);
  for (let i = 1; i < 1024; i++) {
    let m = i << 13;
    let e = 0;
    while ((m & 0x800000) === 0) {
      m <<= 1;
      e -= 0x800000;
    }
    significand[i] = (m & ~0x800000) | (e + 0x38800000);
  }
  for (let i = 1024; i < 2048; i++) significand[i] = 0x38000000 + ((i - 1024) << 13);
  const exponent = new Uint32Array(64);
  const offset = new Uint16Array(64).fill(1024);
  for (let i = 0; i < 32; i++) {
    exponent[i] = i === 31 ? 0x47800000 : i << 23;
    exponent[i + 32] = 0x80000000 + exponent[i]!;
  }
  offset[0] = 0;
  offset[32] = 0;
  return { significand, exponent, offset };
}

/** Values of float16 bits; exact, since every half is a float. */
export function float16ToFloat32(bits: Uint16Array, out: Float32Array = new Float32Array(bits.length)): Float32Array {
  const { significand, exponent, offset } = halfTables;
  const words = new Uint32Array(out.buffer, out.byteOffset, bits.length);
  for (let i = 0; i < bits.length; i++) {
    const h = bits[i]!;
    const e = h >>> 10;
    words[i] = significand[offset[e]! + (h & 0x3ff)]! + exponent[e]!;
  }
  return out;
}

/** float16 bits of values, rounded to nearest even; beyond 65,519 they become infinite. */
export function float32ToFloat16(values: Float32Array, out: Uint16Array = new Uint16Array(values.length)): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const sign = (word >>> 16) & 0x8000;
    const magnitude = word & 0x7fffffff;
    if (magnitude >= 0x38800000) {
      if (magnitude < 0x47800000) {
        // A carry out of the significand raises the exponent, up to infinity: what rounding asks for.
        out[i] = sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
      } else {
        out[i] = sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
      }
    } else {
      out[i] = sign | subnormalHalf(magnitude);
    }
  }
  return out;
}

/** float16 bits of a float below 2^-14, given by the bits of its magnitude. */
function subnormalHalf(magnitude: number): number {
  const shift = 126 - (magnitude >>> 23);
  if (shift > 24) return 0;
  const m = (magnitude & 0x7fffff) | 0x800000;
  const kept = m >>> shift;
  const rest = m & ((1 << shift) - 1);
  const tie = 1 << (shift - 1);
  return rest > tie || (rest === tie && (kept & 1) === 1) ? kept + 1 : kept;
}

/** Values of bfloat16 bits; exact, since a bfloat16 is the upper half of a float. */
export function bfloat16ToFloat32(bits: Uint16Array, out: Float32Array = new Float32Array(bits.length)): Float32Array {
  const words = new Uint32Array(out.buffer, out.byteOffset, bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
  return out;
}

/** bfloat16 bits of values, rounded to nearest even. */
export function float32ToBfloat16(
  values: Float32Array,
  out: Uint16Array = new Uint16Array(values.length),
): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const isNan = (word & 0x7fffffff) > 0x7f800000;
    out[i] = isNan ? ((word >>> 16) & 0x8000) | 0x7fc0 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return out;
}
