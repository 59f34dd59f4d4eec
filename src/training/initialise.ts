import { CheckpointError } from "../errors.ts";
import { counterNormal, counterUniform } from "../tensor/random/counter.ts";
import { elementCount, type Tensor } from "../tensor/tensor.ts";
import { fromStored, type TrainableParameter, toStored } from "./parameters.ts";

/** Layers that end a residual branch, or the network: at zero, every block starts as the identity. */
const startsAtZero = (name: string): boolean =>
  /(^|\.)(conv2|proj_out|conv_out)\.weight$/.test(name) &&
  !name.includes("decoder.conv_out") &&
  !name.includes("encoder.conv_out");

/** What a norm's weight is called in the networks of diffusers and transformers. */
const isNormWeight = (name: string, shape: readonly number[]): boolean =>
  shape.length === 1 && name.endsWith(".weight");

/**
 * First values of a parameter, a pure function of its name and the seed: linear and convolution weights uniform within
 * 1 / sqrt(inputs), as torch has them; embeddings normal with deviation 0.02; norms the identity; biases zero; a LoRA's A
 * normal with deviation 1 / rank and its B zero, so that it starts as no change.
 */
export function initialise({ name, shape, stored }: TrainableParameter, seed: number): Float32Array {
  const count = elementCount(stored);
  if (name.endsWith(".lora_up.weight")) return new Float32Array(count);
  if (name.endsWith(".lora_down.weight")) return counterNormal(seed, name, 0, count).map((x) => x / shape[0]!);
  if (name.endsWith(".bias") || startsAtZero(name)) return new Float32Array(count);
  if (isNormWeight(name, shape)) return new Float32Array(count).fill(1);
  if (name.includes("embedding") && !name.includes("time_embedding"))
    return counterNormal(seed, name, 0, count).map((x) => 0.02 * x);
  const bound = 1 / Math.sqrt(elementCount(shape.slice(1)));
  return counterUniform(seed, name, 0, count).map((u) => bound * (2 * u - 1));
}

/** All parameters of a flat vector as tensors in their file shapes, by name without a prefix. */
export function parametersAsFiles(
  parameters: readonly TrainableParameter[],
  vector: Float32Array,
  prefix = "",
): Map<string, Tensor<"float32">> {
  const tensors = new Map<string, Tensor<"float32">>();
  let offset = 0;
  for (const { name, shape } of parameters) {
    const count = elementCount(shape);
    if (name.startsWith(prefix))
      tensors.set(name.slice(prefix.length), fromStored(vector.subarray(offset, offset + count), shape));
    offset += count;
  }
  return tensors;
}

/**
 * First values of all parameters: those given by name in file shapes, else fresh ones.
 * @throws CheckpointError when a given tensor has another shape than its parameter
 */
export function firstValues(
  parameters: readonly TrainableParameter[],
  seed: number,
  given?: ReadonlyMap<string, Tensor<"float32">>,
): Float32Array {
  const vector = new Float32Array(parameters.reduce((n, { stored }) => n + elementCount(stored), 0));
  let offset = 0;
  for (const parameter of parameters) {
    const known = given?.get(parameter.name);
    const values = known === undefined ? initialise(parameter, seed) : givenValues(parameter, known);
    vector.set(values, offset);
    offset += values.length;
  }
  return vector;
}

function givenValues({ name, shape }: TrainableParameter, known: Tensor<"float32">): Float32Array {
  // A matrix and a 1x1 convolution hold the same numbers, and files differ on which of them a layer is.
  const sizes = (one: readonly number[]): string => one.filter((size) => size !== 1).join();
  if (sizes(known.shape) !== sizes(shape)) {
    throw new CheckpointError(
      `The tensor given for "${name}" has the shape [${known.shape.join(", ")}], but the model asks for [${shape.join(", ")}]; start from a file of the same model.`,
    );
  }
  return toStored(known.data, shape);
}
