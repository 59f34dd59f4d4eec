import type { Transferable } from "node:worker_threads";
import { RuntimeFailure } from "../errors.ts";
import type { OnnxModel } from "../graph/encode.ts";
import { type OnnxRuntimeOptions, onnxRuntimeDefaults } from "../runtime/onnx-runtime.ts";
import type { CompileOptions, RunOptions, Runtime, Session } from "../runtime/runtime.ts";
import { checkInto, writeInto } from "../runtime/write-into.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { startWorker } from "./start-worker.ts";
import { type Question, type WorkerChannel, workerChannel } from "./worker-channel.ts";
import { isShared, type WorkerRuntimeAnswer, type WorkerRuntimeQuestion } from "./worker-runtime-messages.ts";

type Tensors = Readonly<Record<string, Tensor>>;
type Channel = WorkerChannel<WorkerRuntimeAnswer>;

const ask = (channel: Channel, message: WorkerRuntimeQuestion, signal?: AbortSignal): Promise<WorkerRuntimeAnswer> =>
  channel.ask(() => ({ message, transfer: [] }), signal);

/** A run as a message: shared memory goes as it is, all else as one copy, whose buffer moves. */
function runQuestion(session: number, model: OnnxModel, inputs: Tensors, into: Tensors): Question {
  const transfer: Transferable[] = [];
  const sent: Record<string, Tensor> = {};
  for (const name of model.inputs) {
    const tensor = inputs[name];
    if (tensor === undefined) continue;
    sent[name] = isShared(tensor) ? tensor : { ...tensor, data: (tensor.data as Float32Array).slice() };
    if (!isShared(tensor)) transfer.push(sent[name].data.buffer as ArrayBuffer);
  }
  const message: WorkerRuntimeQuestion = { kind: "run", session, inputs: sent, into };
  return { message, transfer };
}

/** Sessions of workers, to be named to their worker, and how each is marked as gone. */
interface WorkerSession extends Session {
  readonly channel: Channel;
  readonly number: number;
  /** No longer to be used: another takes its place. */
  retire(): boolean;
}

const isWorkerSession = (session: Session | undefined, channel: Channel): session is WorkerSession =>
  session !== undefined && "channel" in session && session.channel === channel;

function workerSession(channel: Channel, session: number, model: OnnxModel): WorkerSession {
  let disposed = false;
  return {
    channel,
    number: session,
    retire() {
      const first = !disposed;
      disposed = true;
      return first;
    },
    inputs: model.inputs,
    outputs: model.outputs,
    async run(inputs: Tensors, { signal, into = {} }: RunOptions = {}): Promise<Tensors> {
      signal?.throwIfAborted();
      if (disposed) throw new RuntimeFailure("This session was disposed; compile the graph again to run it.");
      const targets = model.outputs.flatMap((name) => (into[name] === undefined ? [] : [[name, into[name]] as const]));
      for (const [name, target] of targets) checkInto(name, target);
      const shared = Object.fromEntries(targets.filter(([, target]) => isShared(target)));
      const results = await channel.ask(() => runQuestion(session, model, inputs, shared), signal);
      return Object.fromEntries(
        model.outputs.map((name) => [name, shared[name] ?? writeInto(name, results[name]!, into[name])]),
      );
    },
    async dispose(): Promise<void> {
      if (disposed || channel.isClosed()) return;
      disposed = true;
      await ask(channel, { kind: "release", session });
    },
  };
}

/**
 * ONNX Runtime in a thread of its own, so that the event loop goes on while a graph is compiled or run. Runs follow one
 * another; a signal takes back a run that still waits. Inputs are read when their run begins: leave them be until then.
 * Tensors over a `SharedArrayBuffer`, inputs and `into`, are not copied between the threads.
 *
 * `dispose` ends the thread. When the thread breaks down, everything that waits for it is refused with one sentence.
 */
export function workerRuntime(options: Partial<OnnxRuntimeOptions> = {}): Runtime {
  const worker = startWorker("worker-runtime.worker", import.meta.url, { workerData: options });
  const channel: Channel = workerChannel(worker, "runs graphs");
  let sessions = 0;
  return {
    device: options.device ?? onnxRuntimeDefaults.device,
    async compile(model: OnnxModel, compileOptions: CompileOptions = {}): Promise<Session> {
      const session = sessions++;
      const { replacing, ...wishes } = compileOptions;
      const known = isWorkerSession(replacing, channel) ? replacing : undefined;
      if (known === undefined) await replacing?.dispose();
      const before = known?.retire() === true ? { replacing: known.number } : {};
      await ask(channel, { kind: "compile", session, model, options: wishes, ...before });
      return workerSession(channel, session, model);
    },
    dispose(): Promise<void> {
      const last: WorkerRuntimeQuestion = { kind: "close" };
      return channel.close(last);
    },
  };
}
