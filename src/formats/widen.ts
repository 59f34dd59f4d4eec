import { FormatError } from "../errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ForeignType } from "./safetensors-header.ts";

/**
 * Little-endian elements of a type that no tensor holds, as the smallest type that holds all of them: 8-bit floats become
 * float16, int16 and uint16 become int32, uint32 and uint64 become int64. `place` is for errors.
 * @throws FormatError when a uint64 does not fit in int64
 */
export function widen(bytes: Uint8Array, type: ForeignType, shape: readonly number[], place: string): Tensor {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (type) {
    case "float8_e5m2":
      // The upper byte of a half: the same sign, exponent and bias.
      return { type: "float16", shape, data: Uint16Array.from(bytes, (bits) => bits << 8) };
    case "float8_e4m3":
      return { type: "float16", shape, data: Uint16Array.from(bytes, (bits) => e4m3Halves[bits]!) };
    case "int16":
      return {
        type: "int32",
        shape,
        data: filled(new Int32Array(bytes.length / 2), (i) => view.getInt16(2 * i, true)),
      };
    case "uint16":
      return {
        type: "int32",
        shape,
        data: filled(new Int32Array(bytes.length / 2), (i) => view.getUint16(2 * i, true)),
      };
    case "uint32": {
      const data = new BigInt64Array(bytes.length / 4);
      for (let i = 0; i < data.length; i++) data[i] = BigInt(view.getUint32(4 * i, true));
      return { type: "int64", shape, data };
    }
    case "uint64": {
      const data = new BigInt64Array(bytes.length / 8);
      for (let i = 0; i < data.length; i++) {
        const value = view.getBigInt64(8 * i, true);
        if (value < 0n) {
          throw new FormatError(`${place} holds the number ${BigInt.asUintN(64, value)}, above the largest of int64.`);
        }
        data[i] = value;
      }
      return { type: "int64", shape, data };
    }
  }
}

function filled(data: Int32Array, value: (i: number) => number): Int32Array {
  for (let i = 0; i < data.length; i++) data[i] = value(i);
  return data;
}

/**
 * The half with the value of each 8-bit float of 4 exponent bits (bias 7) and 3 of significand, in the finite form: no
 * infinities, and all ones are NaN (Micikevicius et al., FP8 Formats for Deep Learning, table 1).
 */
const e4m3Halves: Uint16Array = Uint16Array.from({ length: 256 }, (_, bits) => {
  const sign = (bits & 0x80) << 8;
  const exponent = (bits >> 3) & 15;
  const significand = bits & 7;
  if ((bits & 0x7f) === 0x7f) return sign | 0x7e00;
  // Halves have a bias of 15, eight more, and seven more bits of significand.
  if (exponent > 0) return sign | ((exponent + 8) << 10) | (significand << 7);
  if (significand === 0) return sign;
  // A subnormal, significand x 2^-9, is a normal half: its leading one is dropped into the exponent.
  const leading = 31 - Math.clz32(significand);
  return sign | ((leading + 6) << 10) | ((significand << (10 - leading)) & 0x3ff);
});
