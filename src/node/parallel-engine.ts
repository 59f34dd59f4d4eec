import type { OnnxModel } from "../graph/encode.ts";
import type { OptimizerSettings, ParameterLayout, StepRequest, TrainingEngine } from "../training/engine.ts";
import { initialVectors, restoreVectors, snapshot } from "../training/session-engine.ts";
import type { TrainingVectors } from "../training/update.ts";
import { barrierLength, releaseBarrier } from "./barrier.ts";
import { startWorker } from "./start-worker.ts";
import type { TrainingWorkerData, TrainingWorkerReply, TrainingWorkerStep } from "./training-worker.ts";
import { workerCrew } from "./worker-crew.ts";

const shared = (values: Float32Array): Float32Array => {
  const vector = new Float32Array(new SharedArrayBuffer(values.byteLength));
  vector.set(values);
  return vector;
};

const shareVectors = (vectors: TrainingVectors): TrainingVectors => ({
  parameters: shared(vectors.parameters),
  firstMoment: shared(vectors.firstMoment),
  secondMoment: shared(vectors.secondMoment),
  ema: vectors.ema === undefined ? undefined : shared(vectors.ema),
});

/**
 * Training on several cores: each worker runs its share of the micro-batches on one thread, then all add up the gradients
 * and update a range of the parameters each. On networks whose products are small this doubles what threads inside one
 * operation give. Micro-batch i goes to worker i modulo `workers`, so results depend on that number but not on timing.
 *
 * When one worker fails, all are ended and the step rejects; the engine only waits to be disposed then.
 * @throws RuntimeFailure when a worker cannot start
 */
export async function parallelEngine(
  model: OnnxModel,
  layout: ParameterLayout,
  initial: Float32Array,
  settings: OptimizerSettings,
  workerCount: number,
): Promise<TrainingEngine> {
  const vectors = shareVectors(initialVectors(initial, settings));
  const data: Omit<TrainingWorkerData, "index"> = {
    model,
    layout,
    settings,
    vectors,
    gradients: Array.from({ length: workerCount }, () => shared(new Float32Array(layout.length))),
    sums: new Float64Array(new SharedArrayBuffer(2 * workerCount * Float64Array.BYTES_PER_ELEMENT)),
    barrier: new Int32Array(new SharedArrayBuffer(barrierLength * Int32Array.BYTES_PER_ELEMENT)),
  };
  const crew = workerCrew<TrainingWorkerReply>(
    data.gradients.map(
      (_, index) => () => startWorker("training-worker", import.meta.url, { workerData: { ...data, index } }),
    ),
    { release: () => releaseBarrier(data.barrier) },
  );
  await crew.started();
  let done = 0;
  return {
    layout,
    async step({ step, rate, batches }: StepRequest) {
      const shares = data.gradients.map((_, index): TrainingWorkerStep => {
        const share = batches.filter((_, i) => i % workerCount === index);
        return { step, rate, count: batches.length, batches: share };
      });
      const replies = await crew.ask(shares);
      const results = replies.flatMap((reply) => (reply.kind === "done" ? [reply] : []));
      const { norm, loss } = results[0]!;
      const metrics: Record<string, number> = {};
      for (const result of results) {
        for (const [name, sum] of Object.entries(result.metrics)) {
          metrics[name] = (metrics[name] ?? 0) + sum / batches.length;
        }
      }
      if (Number.isFinite(norm) && Number.isFinite(loss)) done = step + 1;
      return { loss, gradientNorm: norm, metrics };
    },
    state: async () => snapshot(vectors, done),
    async restore(state) {
      restoreVectors(vectors, state);
      done = state.step;
    },
    dispose: crew.dispose,
  };
}
