import { parentPort, workerData } from "node:worker_threads";
import type { OnnxModel } from "../graph/encode.ts";
import { addUp } from "../optim/accumulate.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import type { Batch, OptimizerSettings, ParameterLayout } from "../training/engine.ts";
import { sumGradients } from "../training/gradients.ts";
import { createUpdate, type TrainingVectors } from "../training/update.ts";
import { barrierIn } from "./barrier.ts";
import type { WorkerFailed } from "./worker-crew.ts";

/** What one of several training workers is given; the vectors lie in shared memory. */
export interface TrainingWorkerData {
  readonly index: number;
  readonly model: OnnxModel;
  readonly layout: ParameterLayout;
  readonly settings: OptimizerSettings;
  readonly vectors: TrainingVectors;
  /** Gradients of each worker. */
  readonly gradients: readonly Float32Array[];
  /** Per worker: sum of squares of its range, then sum of losses. */
  readonly sums: Float64Array;
  readonly barrier: Int32Array;
}

/** A worker's part of one step. */
export interface TrainingWorkerStep {
  readonly step: number;
  readonly rate: number;
  /** Micro-batches of the whole step. */
  readonly count: number;
  /** Those that this worker runs; it may have none. */
  readonly batches: readonly Batch[];
}

export type TrainingWorkerReply =
  | { readonly kind: "ready" }
  | {
      readonly kind: "done";
      readonly norm: number;
      readonly loss: number;
      readonly metrics: Readonly<Record<string, number>>;
    };

async function serve(data: TrainingWorkerData): Promise<void> {
  const { index, model, layout, settings, vectors, gradients, sums } = data;
  const workers = gradients.length;
  const wait = barrierIn(data.barrier, workers);
  // Both cores are busy with a worker each: threads inside an operation would only get in each other's way.
  const session = await onnxRuntime({ threads: 1 }).compile(model);
  const update = createUpdate(settings);
  const begin = Math.floor((layout.length * index) / workers);
  const end = Math.floor((layout.length * (index + 1)) / workers);
  // The runtime refuses shared memory, so each worker computes with copies of its own.
  const parameters = new Float32Array(layout.length);
  const ema = vectors.ema === undefined ? undefined : new Float32Array(layout.length);
  const own = gradients[index]!;

  parentPort!.on("message", async ({ step, rate, count, batches }: TrainingWorkerStep) => {
    try {
      parameters.set(vectors.parameters);
      if (ema !== undefined) ema.set(vectors.ema!);
      const sum = await sumGradients(session, layout, batches, parameters, ema, own);
      sums[workers + index] = sum.loss;
      wait();
      const total = gradients[0]!;
      sums[index] = addUp(gradients, begin, end);
      wait();
      const add = (values: Float64Array): number => values.reduce((a, b) => a + b, 0);
      const norm = Math.sqrt(add(sums.subarray(0, workers))) / count;
      const loss = add(sums.subarray(workers)) / count;
      if (Number.isFinite(norm) && Number.isFinite(loss)) {
        update(vectors, { step, rate, gradients: total, count, norm, begin, end });
      }
      reply({ kind: "done", norm, loss, metrics: sum.metrics });
    } catch (error) {
      fail(error);
    }
  });
  reply({ kind: "ready" });
}

const reply = (message: TrainingWorkerReply | WorkerFailed): void => parentPort!.postMessage(message);

// The other workers may be waiting for this one: their owner ends them when it hears of it.
const fail = (error: unknown): void =>
  reply({ kind: "failed", message: error instanceof Error ? error.message : String(error) });

serve(workerData as TrainingWorkerData).catch(fail);
