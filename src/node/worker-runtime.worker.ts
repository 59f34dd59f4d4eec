import { parentPort, type Transferable, workerData } from "node:worker_threads";
import { RuntimeFailure } from "../errors.ts";
import { toCrossing } from "../runtime/crossing-error.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import type { Session } from "../runtime/runtime.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { WorkerReply } from "./worker-channel.ts";
import {
  isShared,
  type WorkerRuntimeAnswer,
  type WorkerRuntimeData,
  type WorkerRuntimeQuestion,
} from "./worker-runtime-messages.ts";

const port = parentPort!;
const runtime = onnxRuntime(workerData as WorkerRuntimeData);
const sessions = new Map<number, Session>();

/** ONNX Runtime refuses shared memory, so what lies there is copied. */
const owned = (tensor: Tensor): Tensor =>
  isShared(tensor) ? { ...tensor, data: (tensor.data as Float32Array).slice() } : tensor;

const mapTensors = (tensors: Readonly<Record<string, Tensor>>, f: (x: Tensor) => Tensor): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, f(tensor)]));

async function answer(question: Exclude<WorkerRuntimeQuestion, { kind: "close" }>): Promise<WorkerRuntimeAnswer> {
  switch (question.kind) {
    case "compile": {
      const { session, model, options, replacing } = question;
      const before = replacing === undefined ? undefined : sessions.get(replacing);
      if (replacing !== undefined) sessions.delete(replacing);
      const compiled = await runtime.compile(model, {
        ...options,
        ...(before === undefined ? {} : { replacing: before }),
      });
      sessions.set(session, compiled);
      return {};
    }
    case "run": {
      const { inputs, into } = question;
      const session = sessions.get(question.session);
      if (session === undefined)
        throw new RuntimeFailure("This session was disposed; compile the graph again to run it.");
      const results = await session.run(mapTensors(inputs, owned), { into });
      return Object.fromEntries(Object.entries(results).filter(([name]) => into[name] === undefined));
    }
    case "release":
      await sessions.get(question.session)?.dispose();
      sessions.delete(question.session);
      return {};
  }
}

const reply = (message: WorkerReply<WorkerRuntimeAnswer>, transfer: readonly Transferable[] = []): void =>
  port.postMessage(message, transfer);

port.on("message", async (question: WorkerRuntimeQuestion) => {
  if (question.kind === "close") {
    await runtime.dispose();
    port.close();
    return;
  }
  try {
    const result = await answer(question);
    const buffers = new Set(Object.values(result).map(({ data }) => data.buffer as ArrayBuffer));
    reply({ result }, [...buffers]);
  } catch (error) {
    reply({ error: toCrossing(error) });
  }
});
