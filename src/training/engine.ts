import { UsageError } from "../errors.ts";
import { elementCount, type Tensor } from "../tensor/tensor.ts";

/** Where one trainable parameter lies in the flat vector: elements `offset` to `offset + product(shape)`. */
export interface ParameterEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
}

/** The table from names to places of all trainable parameters in one flat float32 vector. */
export interface ParameterLayout {
  readonly entries: readonly ParameterEntry[];
  /** Elements of the whole vector. */
  readonly length: number;
}

/** Settings of AdamW, of clipping and of the averaged copy; fixed for a whole run. */
export interface OptimizerSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Decoupled decay per step, as a factor of the rate. */
  readonly weightDecay: number;
  /** Gradients are scaled down to this global L2 norm; `Infinity` never clips. */
  readonly maxGradientNorm: number;
  /** Decay of the averaged copy (theta minus) per step; 0 keeps none. */
  readonly emaDecay: number;
}

/** The settings that the published distillation scripts use, without an averaged copy. */
export const defaultOptimizerSettings: OptimizerSettings = {
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 1e-2,
  maxGradientNorm: 1,
  emaDecay: 0,
};

/** The tensors of one micro-batch, by the names of the graph's inputs. */
export type Batch = Readonly<Record<string, Tensor>>;

/** One optimiser step. */
export interface StepRequest {
  /** Steps done before this one: the first step of a run is 0. */
  readonly step: number;
  /** Learning rate of this step. */
  readonly rate: number;
  /** Micro-batches, all of one shape; their gradients are averaged. */
  readonly batches: readonly Batch[];
}

/** What one step measured, before its update was applied. */
export interface StepResult {
  /** Mean loss of the micro-batches. */
  readonly loss: number;
  /** Global L2 norm of the averaged gradients before clipping. */
  readonly gradientNorm: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** All that a run needs to go on to the very same numbers; the vectors follow the engine's layout. */
export interface TrainingState {
  /** Steps done. */
  readonly step: number;
  readonly parameters: Float32Array;
  readonly firstMoment: Float32Array;
  readonly secondMoment: Float32Array;
  /** The averaged copy (theta minus), where one is kept. */
  readonly ema: Float32Array | undefined;
}

/** Computes steps of one objective; owns parameters and optimiser state wherever they live. */
export interface TrainingEngine {
  readonly layout: ParameterLayout;
  /** Runs one step. A step whose loss or gradient norm is not finite leaves the state as it was. */
  step(request: StepRequest): Promise<StepResult>;
  /** A snapshot; later steps do not change its arrays. */
  state(): Promise<TrainingState>;
  /** Takes over a snapshot, whose arrays stay the caller's. */
  restore(state: TrainingState): Promise<void>;
  /** Releases memory, sessions and workers; the engine is not used afterwards. */
  dispose(): Promise<void>;
}

/**
 * Lays parameters one after another, in the order given.
 * @throws UsageError when a name occurs twice.
 */
export function layParametersOut(
  parameters: readonly { readonly name: string; readonly shape: readonly number[] }[],
): ParameterLayout {
  const entries: ParameterEntry[] = [];
  const names = new Set<string>();
  let offset = 0;
  for (const { name, shape } of parameters) {
    if (names.has(name)) {
      throw new UsageError(`parameter ${name} is listed twice; each trainable parameter needs a name of its own`);
    }
    names.add(name);
    entries.push({ name, shape: [...shape], offset });
    offset += elementCount(shape);
  }
  return { entries, length: offset };
}

/** One parameter of a flat vector as a tensor that shares the vector's memory. */
export function parameterTensor(entry: ParameterEntry, vector: Float32Array): Tensor<"float32"> {
  const data = vector.subarray(entry.offset, entry.offset + elementCount(entry.shape));
  return { type: "float32", shape: entry.shape, data };
}

/** All parameters of a flat vector by name, as tensors that share the vector's memory. */
export function parameterTensors(layout: ParameterLayout, vector: Float32Array): Map<string, Tensor<"float32">> {
  return new Map(layout.entries.map((entry) => [entry.name, parameterTensor(entry, vector)]));
}
