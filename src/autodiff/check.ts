import { mul } from "../graph/ops/arithmetic.ts";
import { reduceSum } from "../graph/ops/reduction.ts";
import { reshape } from "../graph/ops/structure.ts";
import { constant, input, type Value } from "../graph/value.ts";
import { elementCount, type Tensor } from "../tensor/tensor.ts";
import { backward } from "./backward.ts";

/** Tensors by name. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** Compiles the graph of `outputs` and returns what runs it: the runtime's part, which this module does not choose. */
export type Compile = (outputs: Readonly<Record<string, Value>>) => Promise<(inputs: Tensors) => Promise<Tensors>>;

/** The function whose gradients are checked: from graph inputs, by name, to one float32 value of any shape. */
export type Build = (inputs: Readonly<Record<string, Value>>) => Value;

export interface Evaluation {
  readonly value: Tensor;
  /** Gradients of every float32 input, by name, for the loss that `cotangent` weighs. */
  readonly gradients: Tensors;
}

/** The gradient of one input beside its finite differences. */
export interface GradientComparison {
  readonly name: string;
  /** Largest difference, relative to the largest number on either side (to 1e-3 where all are smaller). */
  readonly error: number;
  /** Flat index of the element with that difference, its gradient and its finite difference; -1 where there is none. */
  readonly element: number;
  readonly gradient: number;
  readonly difference: number;
}

/**
 * Weights of the results in the loss `sum_i c_i y_i` that checks differentiate: fixed numbers between -1 and 1 that
 * repeat after 61, so that no error cancels against its neighbour's.
 */
export function cotangent(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => (2 * (((i * 37 + 11) % 61) + 0.3)) / 61 - 1);
}

const inputsOf = (point: Tensors): Record<string, Value> =>
  Object.fromEntries(Object.entries(point).map(([name, { shape, type }]) => [name, input(name, shape, type)]));

const namesOf = (point: Tensors): string[] => Object.keys(point).filter((name) => point[name]!.type === "float32");

/** The value of `build` at a point, and the gradients of its weighted sum. @throws ShapeError */
export async function evaluate(compile: Compile, build: Build, point: Tensors): Promise<Evaluation> {
  const inputs = inputsOf(point);
  const y = build(inputs);
  const weights = constant({ type: "float32", shape: y.shape, data: cotangent(elementCount(y.shape)) });
  const loss = reshape(reduceSum(mul(y, weights)), []);
  const names = namesOf(point);
  const gradients = backward(
    loss,
    names.map((name) => inputs[name]!),
  );
  const run = await compile({ value: y, ...Object.fromEntries(names.map((name, i) => [`d ${name}`, gradients[i]!])) });
  const { value, ...results } = await run(point);
  return {
    value: value!,
    gradients: Object.fromEntries(names.map((name) => [name, results[`d ${name}`]!])),
  };
}

/** How finite differences are taken. */
export interface DifferenceOptions {
  /** The wider of the two steps. */
  readonly step: number;
  /** Elements of each input that are tried, evenly spread. */
  readonly elements: number;
}

export const defaultDifferences: DifferenceOptions = { step: 1 / 32, elements: Number.POSITIVE_INFINITY };

/** The finite difference of one element of an input. */
export interface Difference {
  readonly name: string;
  readonly element: number;
  readonly value: number;
}

/** sum_i c_i y_i in double precision. */
const weighted = (y: ArrayLike<number>, c: Float32Array): number =>
  c.reduce((sum, weight, i) => sum + weight * y[i]!, 0);

const spread = (count: number, most: number): number[] => {
  const taken = Math.min(count, most);
  return Array.from({ length: taken }, (_, i) => Math.floor((i * count) / taken));
};

/**
 * Central differences of the weighted sum in elements of each float32 input. The graph computes in float32; sums and
 * quotients are taken in double precision, and two step widths are combined so that the error falls with the fourth
 * power of the step: D = (4 D(h / 2) - D(h)) / 3 (Richardson).
 */
export async function finiteDifferences(
  compile: Compile,
  build: Build,
  point: Tensors,
  options: Partial<DifferenceOptions> = {},
): Promise<readonly Difference[]> {
  const { step, elements } = { ...defaultDifferences, ...options };
  const y = build(inputsOf(point));
  const run = await compile({ value: y });
  const c = cotangent(elementCount(y.shape));
  const quotient = async (name: string, element: number, h: number): Promise<number> => {
    const centre = point[name] as Tensor<"float32">;
    const sides: { x: number; loss: number }[] = [];
    for (const offset of [h, -h]) {
      const data = centre.data.slice();
      data[element]! += offset;
      const { value } = await run({ ...point, [name]: { ...centre, data } });
      sides.push({ x: data[element]!, loss: weighted(value!.data as Float32Array, c) });
    }
    const [above, below] = sides;
    return (above!.loss - below!.loss) / (above!.x - below!.x);
  };
  const differences: Difference[] = [];
  for (const name of namesOf(point)) {
    for (const element of spread(elementCount(point[name]!.shape), elements)) {
      const value = (4 * (await quotient(name, element, step / 2)) - (await quotient(name, element, step))) / 3;
      differences.push({ name, element, value });
    }
  }
  return differences;
}

/**
 * Where a gradient and another account of it differ most. `other` holds what `gradient` should be at `elements`, in
 * their order; all elements unless told.
 */
export function compareGradient(
  name: string,
  gradient: ArrayLike<number>,
  other: ArrayLike<number>,
  elements: ArrayLike<number> = Array.from(gradient, (_, i) => i),
): GradientComparison {
  let largest = 1e-3;
  for (let i = 0; i < gradient.length; i++) largest = Math.max(largest, Math.abs(gradient[i]!));
  for (let i = 0; i < other.length; i++) largest = Math.max(largest, Math.abs(other[i]!));
  let worst: GradientComparison = { name, error: 0, element: -1, gradient: 0, difference: 0 };
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i]!;
    const error = Math.abs(gradient[element]! - other[i]!) / largest;
    // Written so that NaN on either side counts as the worst.
    if (!(error <= worst.error)) worst = { name, error, element, gradient: gradient[element]!, difference: other[i]! };
  }
  return worst;
}

/**
 * Checks the gradients of a function against finite differences: what a new operation's rule has to pass.
 * Keep inputs away from kinks by more than `step`; each element that is tried costs four runs.
 * @throws ShapeError
 */
export async function checkGradients(
  compile: Compile,
  build: Build,
  point: Tensors,
  options: Partial<DifferenceOptions> = {},
): Promise<readonly GradientComparison[]> {
  const { gradients } = await evaluate(compile, build, point);
  const differences = await finiteDifferences(compile, build, point, options);
  return Object.entries(gradients).map(([name, { data }]) => {
    const own = differences.filter((difference) => difference.name === name);
    return compareGradient(
      name,
      data as Float32Array,
      own.map(({ value }) => value),
      own.map(({ element }) => element),
    );
  });
}
