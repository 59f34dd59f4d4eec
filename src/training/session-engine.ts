import { UsageError } from "../errors.ts";
import type { OnnxModel } from "../graph/encode.ts";
import { sumOfSquares } from "../optim/clip.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { OptimizerSettings, ParameterLayout, TrainingEngine, TrainingState } from "./engine.ts";
import { sumGradients } from "./gradients.ts";
import { createUpdate, type TrainingVectors } from "./update.ts";

/** A run's vectors as they are before the first step. */
export function initialVectors(parameters: Float32Array, settings: OptimizerSettings): TrainingVectors {
  const { length } = parameters;
  return {
    parameters: parameters.slice(),
    firstMoment: new Float32Array(length),
    secondMoment: new Float32Array(length),
    ema: settings.emaDecay > 0 ? parameters.slice() : undefined,
  };
}

/** A copy of the vectors that later steps do not change. */
export function snapshot({ parameters, firstMoment, secondMoment, ema }: TrainingVectors, step: number): TrainingState {
  // From shared memory too, a plain array results.
  const copy = (vector: Float32Array): Float32Array => new Float32Array(vector);
  return {
    step,
    parameters: copy(parameters),
    firstMoment: copy(firstMoment),
    secondMoment: copy(secondMoment),
    ema: ema === undefined ? undefined : copy(ema),
  };
}

/** Takes the values of a snapshot over. @throws UsageError when the snapshot is of another run */
export function restoreVectors(vectors: TrainingVectors, state: TrainingState): void {
  if (
    state.parameters.length !== vectors.parameters.length ||
    (state.ema === undefined) !== (vectors.ema === undefined)
  ) {
    throw new UsageError(
      `The saved state holds ${state.parameters.length} parameters${state.ema ? " and an averaged copy" : ""}, the run ${vectors.parameters.length}${vectors.ema ? " and an averaged copy" : ""}; resume with the configuration that it was saved with.`,
    );
  }
  vectors.parameters.set(state.parameters);
  vectors.firstMoment.set(state.firstMoment);
  vectors.secondMoment.set(state.secondMoment);
  if (state.ema !== undefined) vectors.ema?.set(state.ema);
}

/** Training in this thread, over one session: for browsers, tests and graphs too large to hold twice. */
export async function sessionEngine(
  runtime: Runtime,
  model: OnnxModel,
  layout: ParameterLayout,
  initial: Float32Array,
  settings: OptimizerSettings,
): Promise<TrainingEngine> {
  const session = await runtime.compile(model);
  const vectors = initialVectors(initial, settings);
  const gradients = new Float32Array(layout.length);
  const update = createUpdate(settings);
  let done = 0;
  return {
    layout,
    async step({ step, rate, batches }) {
      const sum = await sumGradients(session, layout, batches, vectors.parameters, vectors.ema, gradients);
      const count = batches.length;
      const norm = Math.sqrt(sumOfSquares(gradients, 0, layout.length)) / count;
      const loss = sum.loss / count;
      const metrics = Object.fromEntries(Object.entries(sum.metrics).map(([name, total]) => [name, total / count]));
      if (Number.isFinite(loss) && Number.isFinite(norm)) {
        update(vectors, { step, rate, gradients, count, norm, begin: 0, end: layout.length });
        done = step + 1;
      }
      return { loss, gradientNorm: norm, metrics };
    },
    state: async () => snapshot(vectors, done),
    async restore(state) {
      restoreVectors(vectors, state);
      done = state.step;
    },
    dispose: () => session.dispose(),
  };
}
