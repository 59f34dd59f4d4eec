import type { Worker } from "node:worker_threads";
import { RuntimeFailure } from "../errors.ts";
import type { OnnxModel } from "../graph/encode.ts";
import type { OptimizerSettings, ParameterLayout, StepRequest, TrainingEngine } from "../training/engine.ts";
import { initialVectors, restoreVectors, snapshot } from "../training/session-engine.ts";
import type { TrainingVectors } from "../training/update.ts";
import { startWorker } from "./start-worker.ts";
import type { TrainingWorkerData, TrainingWorkerReply } from "./training-worker.ts";

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

/** The next reply of each worker. @throws RuntimeFailure when one fails or dies */
function replies(workers: readonly Worker[]): Promise<readonly TrainingWorkerReply[]> {
  return Promise.all(
    workers.map(
      (worker) =>
        new Promise<TrainingWorkerReply>((resolve, reject) => {
          const settle = (act: () => void): void => {
            worker.off("message", onMessage).off("error", onError).off("exit", onExit);
            act();
          };
          const onMessage = (message: TrainingWorkerReply): void =>
            settle(() => (message.kind === "failed" ? reject(new RuntimeFailure(message.message)) : resolve(message)));
          const onError = (error: Error): void =>
            settle(() => reject(new RuntimeFailure(`A training worker failed: ${error.message}`, { cause: error })));
          const onExit = (): void =>
            settle(() =>
              reject(
                new RuntimeFailure("A training worker ended unexpectedly; resume the run from its last checkpoint."),
              ),
            );
          worker.on("message", onMessage).on("error", onError).on("exit", onExit);
        }),
    ),
  );
}

/**
 * Training on several cores: each worker runs its share of the micro-batches on one thread, then all add up the gradients
 * and update a range of the parameters each. On networks whose products are small this doubles what threads inside one
 * operation give. Micro-batch i goes to worker i modulo `workers`, so results depend on that number but not on timing.
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
    barrier: new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)),
  };
  const workers = data.gradients.map((_, index) =>
    startWorker("training-worker", import.meta.url, { workerData: { ...data, index } }),
  );
  const dispose = async (): Promise<void> => {
    await Promise.all(workers.map((worker) => worker.terminate()));
  };
  try {
    await replies(workers);
  } catch (error) {
    await dispose();
    throw error;
  }
  let done = 0;
  return {
    layout,
    async step(request: StepRequest) {
      const answers = replies(workers);
      for (const worker of workers) worker.postMessage(request);
      const results = (await answers).flatMap((reply) => (reply.kind === "done" ? [reply] : []));
      const { norm, loss } = results[0]!;
      const metrics: Record<string, number> = {};
      for (const result of results) {
        for (const [name, sum] of Object.entries(result.metrics)) {
          metrics[name] = (metrics[name] ?? 0) + sum / request.batches.length;
        }
      }
      if (Number.isFinite(norm) && Number.isFinite(loss)) done = request.step + 1;
      return { loss, gradientNorm: norm, metrics };
    },
    state: async () => snapshot(vectors, done),
    async restore(state) {
      restoreVectors(vectors, state);
      done = state.step;
    },
    dispose,
  };
}
