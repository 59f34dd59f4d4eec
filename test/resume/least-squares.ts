import { sumOfSquares } from "../../src/optim/clip.ts";
import { counterNormal } from "../../src/tensor/random/counter.ts";
import { float32 } from "../../src/tensor/tensor.ts";
import {
  type Batch,
  layParametersOut,
  type OptimizerSettings,
  type TrainingEngine,
  type TrainingState,
} from "../../src/training/engine.ts";
import { createUpdate } from "../../src/training/update.ts";

/**
 * A whole training engine by hand: fits `weights . x + bias` to targets, with gradients of the mean squared error written
 * out. Batches hold `inputs` [n, width] and `targets` [n].
 */
export function leastSquares(width: number, settings: OptimizerSettings): TrainingEngine {
  const layout = layParametersOut([
    { name: "weights", shape: [width] },
    { name: "bias", shape: [] },
  ]);
  const update = createUpdate(settings);
  const zeros = (): Float32Array => new Float32Array(layout.length);
  let vectors: Omit<TrainingState, "step"> = {
    parameters: zeros(),
    firstMoment: zeros(),
    secondMoment: zeros(),
    ema: settings.emaDecay > 0 ? zeros() : undefined,
  };
  const copy = (from: Omit<TrainingState, "step">): Omit<TrainingState, "step"> => ({
    parameters: from.parameters.slice(),
    firstMoment: from.firstMoment.slice(),
    secondMoment: from.secondMoment.slice(),
    ema: from.ema?.slice(),
  });
  let done = 0;
  return {
    layout,
    async step({ step, rate, batches }) {
      const gradients = zeros();
      let loss = 0;
      for (const batch of batches) loss += addGradients(batch, vectors.parameters, gradients) / batches.length;
      const count = batches.length;
      const norm = Math.sqrt(sumOfSquares(gradients, 0, gradients.length)) / count;
      if (Number.isFinite(loss) && Number.isFinite(norm)) {
        update(vectors, { step, rate, gradients, count, norm, begin: 0, end: layout.length });
        done = step + 1;
      }
      return { loss, gradientNorm: norm, metrics: { bias: vectors.parameters[width]! } };
    },
    state: async () => ({ step: done, ...copy(vectors) }),
    async restore(state) {
      vectors = copy(state);
      done = state.step;
    },
    dispose: async () => {},
  };
}

/** Adds the gradient of mean((w . x + b - y)^2) and returns the loss. */
function addGradients(batch: Batch, parameters: Float32Array, gradients: Float32Array): number {
  const tensors = new Map(Object.entries(batch));
  const inputs = tensors.get("inputs")!.data as Float32Array;
  const targets = tensors.get("targets")!.data as Float32Array;
  const width = parameters.length - 1;
  let loss = 0;
  for (const [row, target] of targets.entries()) {
    const x = inputs.subarray(row * width, (row + 1) * width);
    let error = parameters[width]! - target;
    for (let i = 0; i < width; i++) error += parameters[i]! * x[i]!;
    const slope = (2 * error) / targets.length;
    for (let i = 0; i < width; i++) gradients[i]! += x[i]! * slope;
    gradients[width] = gradients[width]! + slope;
    loss += (error * error) / targets.length;
  }
  return loss;
}

/** Micro-batches of a step whose targets follow from known weights (i / width) and a bias of 2. */
export function leastSquaresBatches(seed: number, step: number, parts: number, rows: number, width: number): Batch[] {
  return Array.from({ length: parts }, (_, part) => {
    const inputs = counterNormal(seed, `inputs.${part}`, step, rows * width);
    const targets = Float32Array.from({ length: rows }, (_, row) => {
      let sum = 2;
      for (let i = 0; i < width; i++) sum += (i / width) * inputs[row * width + i]!;
      return sum;
    });
    return { inputs: float32([rows, width], inputs), targets: float32([rows], targets) };
  });
}
