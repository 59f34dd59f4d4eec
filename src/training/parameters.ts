import { CheckpointError } from "../errors.ts";
import { transpose } from "../graph/ops/structure.ts";
import { constant, input, type Value } from "../graph/value.ts";
import type { ParameterSource } from "../models/layers.ts";
import { toFloat32 } from "../tensor/convert.ts";
import { elementCount, type Tensor } from "../tensor/tensor.ts";

/**
 * A parameter that trains. Convolution kernels wider than one pixel are kept with the channels innermost
 * (`[kh, kw, out, in]`), as both passes read them fastest so; files hold `[out, in, kh, kw]`.
 */
export interface TrainableParameter {
  readonly name: string;
  /** Shape in files. */
  readonly shape: readonly number[];
  /** Shape while training. */
  readonly stored: readonly number[];
  /** The graph's input, of shape `stored`. */
  readonly value: Value;
}

const isWideKernel = (shape: readonly number[]): boolean => shape.length === 4 && (shape[2]! > 1 || shape[3]! > 1);

const storedShape = (shape: readonly number[]): readonly number[] => {
  const [out, channels, height, width] = shape;
  return isWideKernel(shape) ? [height!, width!, out!, channels!] : shape;
};

/** A value of `stored` shape as models see it: kernels in the shape of files. */
const asSeen = (value: Value, shape: readonly number[]): Value =>
  isWideKernel(shape) ? transpose(value, [2, 3, 0, 1]) : value;

/** Collects the parameters that a model asks for, each once, as inputs of the graph. */
export class TrainableParameters {
  private readonly byName = new Map<string, { readonly parameter: TrainableParameter; readonly seen: Value }>();

  /** All parameters asked for so far, in that order. */
  list(): readonly TrainableParameter[] {
    return [...this.byName.values()].map(({ parameter }) => parameter);
  }

  /** A source whose names get `prefix` in front (`unet.`), so that several models share one set. */
  source(prefix = ""): ParameterSource {
    return (name, shape) => this.value(prefix + name, shape);
  }

  /** The value of a parameter in its file shape. */
  value(name: string, shape: readonly number[]): Value {
    const known = this.byName.get(name);
    if (known !== undefined) return known.seen;
    const stored = storedShape(shape);
    const value = input(name, stored);
    const seen = asSeen(value, shape);
    this.byName.set(name, { parameter: { name, shape, stored, value }, seen });
    return seen;
  }
}

/**
 * The averaged copy (theta minus) of trainable parameters, as inputs that the engine feeds from its average.
 * @param inputPrefix what the engine calls such inputs
 */
export function averagedSource(inputPrefix: string, prefix = ""): ParameterSource {
  const made = new Map<string, Value>();
  return (name, shape) => {
    const known = made.get(name) ?? asSeen(input(inputPrefix + prefix + name, storedShape(shape)), shape);
    made.set(name, known);
    return known;
  };
}

/** Parameters that do not train, as constants in the layout that training reads fastest. */
export function frozenSource(tensors: ReadonlyMap<string, Tensor>, part: string): ParameterSource {
  const made = new Map<string, Value>();
  return (name, shape) => {
    const known = made.get(name);
    if (known !== undefined) return known;
    const tensor = tensors.get(name);
    if (tensor === undefined)
      throw new CheckpointError(
        `${part} has no tensor "${name}" [${shape.join(", ")}]; the file is incomplete or of another model.`,
      );
    const data = toStored(toFloat32(tensor).data, tensor.shape);
    const value = asSeen(constant({ type: "float32", shape: storedShape(tensor.shape), data }), tensor.shape);
    made.set(name, value);
    return value;
  };
}

function permuteKernel(data: Float32Array, [a, b, c, d]: readonly number[], toStored: boolean): Float32Array {
  const result = new Float32Array(data.length);
  const [out, channels, positions] = [a!, b!, c! * d!];
  for (let o = 0; o < out; o++) {
    for (let i = 0; i < channels; i++) {
      for (let p = 0; p < positions; p++) {
        const inFile = (o * channels + i) * positions + p;
        const inTraining = (p * out + o) * channels + i;
        if (toStored) result[inTraining] = data[inFile]!;
        else result[inFile] = data[inTraining]!;
      }
    }
  }
  return result;
}

/** Elements as training keeps them, from elements as files keep them. `shape` is the file's. */
export function toStored(data: Float32Array, shape: readonly number[]): Float32Array {
  return isWideKernel(shape) ? permuteKernel(data, shape, true) : data;
}

/** A tensor as files keep it, from elements as training keeps them. `shape` is the file's. */
export function fromStored(data: Float32Array, shape: readonly number[]): Tensor<"float32"> {
  const exact = data.subarray(0, elementCount(shape));
  return { type: "float32", shape, data: isWideKernel(shape) ? permuteKernel(exact, shape, false) : exact };
}
