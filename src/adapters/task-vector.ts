import { AdapterError } from "../errors.ts";
import { linearCombination, sameShape } from "../tensor/arithmetic.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type LoraModule, loraDelta } from "./lora.ts";

/** Weights, or changes of weights, by name, e.g. `mid_block.resnets.0.conv1.weight`. */
export type Weights = ReadonlyMap<string, Tensor<"float32">>;

/** What fine-tuning changed: a tensor for each changed weight; weights that it lacks are unchanged. */
export type TaskVector = Weights;

/**
 * What fine-tuning changed, `tau = theta_ft - theta_pre`.
 * @paper eq. 1
 * @throws AdapterError when the two have other weights or other shapes.
 */
export function taskVector(fineTuned: Weights, base: Weights): TaskVector {
  for (const name of base.keys()) {
    if (!fineTuned.has(name))
      throw new AdapterError(`the fine-tuned weights lack "${name}"; both must be one model's.`);
  }
  const tau = new Map<string, Tensor<"float32">>();
  for (const [name, tuned] of fineTuned) tau.set(name, combine(name, [1, tuned], [-1, existing(base, name)]));
  return tau;
}

/**
 * The change undone, `tau_new = -tau`.
 * @paper eq. 2
 */
export function negateTaskVector(tau: TaskVector): TaskVector {
  return new Map(Array.from(tau, ([name, delta]) => [name, linearCombination([[-1, delta]])]));
}

/**
 * Several changes at once, `tau_new = sum_i lambda_i tau_i`; a weight that one of them lacks is unchanged by it.
 * @paper eq. 3
 * @throws AdapterError when two of them give a weight two shapes.
 */
export function addTaskVectors(terms: readonly (readonly [lambda: number, tau: TaskVector])[]): TaskVector {
  const parts = new Map<string, [number, Tensor<"float32">][]>();
  for (const [lambda, tau] of terms) {
    for (const [name, delta] of tau) {
      const known = parts.get(name);
      if (known === undefined) parts.set(name, [[lambda, delta]]);
      else known.push([lambda, delta]);
    }
  }
  return new Map(Array.from(parts, ([name, deltas]) => [name, combine(name, ...deltas)]));
}

/**
 * The changed weights, `theta_pre + lambda tau`; weights that `tau` lacks are the base's own.
 * @throws AdapterError when `tau` changes a weight that the base lacks or shapes otherwise.
 */
export function applyTaskVector(base: Weights, tau: TaskVector, lambda = 1): Weights {
  const weights = new Map(base);
  for (const [name, delta] of tau) weights.set(name, combine(name, [1, existing(base, name)], [lambda, delta]));
  return weights;
}

/**
 * An adapter as a task vector: the change of each layer's `weight`.
 * @throws AdapterError when a module's two parts do not fit each other.
 */
export function loraTaskVector(modules: readonly LoraModule[]): TaskVector {
  return new Map(modules.map((module) => [`${module.path}.weight`, loraDelta(module)]));
}

function existing(weights: Weights, name: string): Tensor<"float32"> {
  const weight = weights.get(name);
  if (weight === undefined) throw new AdapterError(`the base has no weight "${name}"; both must be one model's.`);
  return weight;
}

function combine(name: string, ...terms: [number, Tensor<"float32">][]): Tensor<"float32"> {
  const shape = terms[0]?.[1].shape ?? [];
  for (const [, { shape: other }] of terms) {
    if (!sameShape(shape, other)) {
      throw new AdapterError(`"${name}" is [${shape.join(", ")}] in one and [${other.join(", ")}] in the other.`);
    }
  }
  return linearCombination(terms);
}
