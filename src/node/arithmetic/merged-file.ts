import { AdapterError, FormatError } from "../../errors.ts";
import { isDataType, type StoredType, storedBytes } from "../../formats/safetensors-header.ts";
import type { PendingTensor } from "../../formats/safetensors-layout.ts";
import { rowMajorStrides } from "../../formats/strides.ts";
import { readEntry, type TensorEntry } from "../../formats/tensor-entry.ts";
import { type FloatType, fromFloat32, toFloat32 } from "../../tensor/convert.ts";
import { bytesPerElement, type DataType, elementCount, type Tensor } from "../../tensor/tensor.ts";
import type { FileTensor } from "./checkpoint.ts";

/** What became of one parameter. */
export interface WrittenParameter {
  readonly name: string;
  /** Sum of the squares of the exact result. */
  readonly square: number;
  /** Sum of the squares of what rounding to the file's type changed. */
  readonly errorSquare: number;
}

/** The numbers of a parameter from the first on in float64; undefined where it stays as it is. */
export type ParameterPieces = (
  name: string,
  tensor: Pick<FileTensor, "source"> & { readonly entry: TensorEntry },
) => AsyncIterable<Float64Array> | undefined;

const floatTypes: readonly StoredType[] = ["float64", "float32", "float16", "bfloat16", "float8_e4m3", "float8_e5m2"];

/** The type that a tensor is written in: the wished one where it holds floats, else its own, widened where it must be. */
export function writtenType(own: StoredType, wished: FloatType | undefined): DataType {
  if (floatTypes.includes(own)) return wished ?? (isDataType(own) ? own : "float16");
  if (isDataType(own)) return own;
  return own === "uint32" || own === "uint64" ? "int64" : "int32";
}

/**
 * A tensor of a file with other numbers, ready to be written; each parameter is made when the tensor's turn comes.
 * @param written is told of each parameter that was changed
 */
export function mergedTensor(
  tensor: FileTensor,
  wished: FloatType | undefined,
  pieces: ParameterPieces,
  written: (parameter: WrittenParameter) => void,
): PendingTensor {
  const { name, source, entry, parameters } = tensor;
  const { shape } = entry;
  const type = writtenType(entry.type, wished);
  return {
    name,
    type,
    shape,
    bytes: async () => {
      const changed = parameters.flatMap(([parameter, own]) => {
        const given = pieces(parameter, { source, entry: own });
        return given === undefined ? [] : [{ parameter, own, given }];
      });
      const floats = isFloatType(type) ? type : undefined;
      if (changed.length === 0 || floats === undefined) return bytesOf(converted(await readEntry(source, entry), type));
      const whole = changed.length === 1 && parameters.length === 1 && sameLayout(changed[0]!.own, entry);
      const out = whole
        ? new Uint8Array(elementCount(shape) * bytesPerElement[type])
        : bytesOf(converted(await readEntry(source, entry), type)).slice();
      for (const { parameter, own, given } of changed) {
        const place = whole ? undefined : placesOf(own, entry);
        const sums = await fill(out, floats, given, place);
        checkFinite(parameter, floats, sums);
        written({ name: parameter, ...sums });
      }
      return out;
    },
  };
}

function checkFinite(parameter: string, type: FloatType, sums: Omit<WrittenParameter, "name">): void {
  if (!Number.isFinite(sums.square)) {
    throw new AdapterError(`${parameter}: a number of the result is not finite; one of the inputs is damaged.`);
  }
  if (!Number.isFinite(sums.errorSquare)) {
    throw new AdapterError(`${parameter}: a number of the result is beyond ${type}; write another type (--type fp32).`);
  }
}

function isFloatType(type: DataType): type is FloatType {
  return type === "float64" || type === "float32" || type === "float16" || type === "bfloat16";
}

function sameLayout(a: TensorEntry, b: TensorEntry): boolean {
  return a.begin === b.begin && a.end === b.end && a.strides?.join() === b.strides?.join();
}

function converted(tensor: Tensor, type: DataType): Tensor {
  if (tensor.type === type || !isFloatType(type)) return tensor;
  return fromFloat32(toFloat32(tensor), type);
}

function bytesOf({ data }: Tensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Where the elements of a part of a tensor lie in the whole, counted in elements. */
interface Places {
  readonly first: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

function placesOf(part: TensorEntry, whole: TensorEntry): Places {
  if (whole.strides !== undefined) {
    throw new FormatError(
      `tensor "${whole.name}" holds several parameters and its elements do not follow each other; write the file anew as safetensors.`,
    );
  }
  return {
    first: (part.begin - whole.begin) / storedBytes(part.type),
    shape: part.shape,
    strides: part.strides ?? rowMajorStrides(part.shape),
  };
}

/** Writes the numbers of a parameter into a tensor's bytes, one after the other or at their places. */
async function fill(
  out: Uint8Array,
  type: FloatType,
  given: AsyncIterable<Float64Array>,
  places: Places | undefined,
): Promise<{ readonly square: number; readonly errorSquare: number }> {
  const size = bytesPerElement[type];
  let [at, square, errorSquare] = [0, 0, 0];
  for await (const exact of given) {
    const rounded = roundTo(exact, type);
    const back = rounded.data instanceof Float64Array ? rounded.data : toFloat32(rounded).data;
    for (let i = 0; i < exact.length; i++) {
      square += exact[i]! * exact[i]!;
      errorSquare += (back[i]! - exact[i]!) ** 2;
    }
    const bytes = bytesOf(rounded);
    if (places === undefined) out.set(bytes, at * size);
    else {
      for (let i = 0; i < exact.length; i++) {
        out.set(bytes.subarray(i * size, (i + 1) * size), placeOf(places, at + i) * size);
      }
    }
    at += exact.length;
  }
  return { square, errorSquare };
}

function roundTo(exact: Float64Array, type: FloatType): Tensor {
  if (type === "float64") return { type, shape: [exact.length], data: exact };
  return fromFloat32({ type: "float32", shape: [exact.length], data: Float32Array.from(exact) }, type);
}

function placeOf({ first, shape, strides }: Places, index: number): number {
  let place = first;
  let rest = index;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    place += (rest % shape[axis]!) * strides[axis]!;
    rest = Math.floor(rest / shape[axis]!);
  }
  return place;
}
