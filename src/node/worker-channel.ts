import type { Transferable, Worker } from "node:worker_threads";
import { RuntimeFailure } from "../errors.ts";
import { type CrossingError, fromCrossing } from "../runtime/crossing-error.ts";

/** What a worker answers to each question, once. */
export type WorkerReply<T> = { readonly result: T } | { readonly error: CrossingError };

/** A question, and the buffers that move to the worker with it. */
export interface Question {
  readonly message: unknown;
  readonly transfer: readonly Transferable[];
}

/** Questions to one worker, answered one after another in their order. */
export interface WorkerChannel<T> {
  /**
   * The answer to a question, which is put together when its turn has come. A signal takes a waiting question back; one
   * that the worker has begun is answered.
   * @throws what the worker reports; RuntimeFailure when it has ended; the signal's reason
   */
  ask(question: () => Question, signal?: AbortSignal): Promise<T>;
  /** Whether the worker has ended or is about to: nothing more can be asked. */
  isClosed(): boolean;
  /** Sends a last message, on which the worker has to end without a reply, refuses what still waits, and resolves when it has ended. */
  close(message: unknown): Promise<void>;
}

interface Waiting<T> {
  readonly question: () => Question;
  readonly resolve: (answer: T) => void;
  readonly reject: (reason: unknown) => void;
  readonly signal: AbortSignal | undefined;
  readonly onAbort: () => void;
}

/** A channel to a worker that answers every message with one `WorkerReply`. `purpose` names the worker in errors. */
export function workerChannel<T>(worker: Worker, purpose: string): WorkerChannel<T> {
  const queue: Waiting<T>[] = [];
  let asked: Waiting<T> | undefined;
  let failure: RuntimeFailure | undefined;
  let last: { readonly message: unknown } | undefined;

  const settle = (one: Waiting<T>, how: (one: Waiting<T>) => void): void => {
    one.signal?.removeEventListener("abort", one.onAbort);
    how(one);
  };
  const fail = (reason: RuntimeFailure): void => {
    failure ??= reason;
    const pending = asked === undefined ? [] : [asked];
    asked = undefined;
    for (const one of [...pending, ...queue.splice(0)]) settle(one, ({ reject }) => reject(failure));
  };
  const next = (): void => {
    if (asked !== undefined) return;
    asked = queue.shift();
    if (asked === undefined) {
      // An idle worker does not keep the program from ending.
      if (last === undefined) worker.unref();
      else worker.postMessage(last.message);
      return;
    }
    worker.ref();
    asked.signal?.removeEventListener("abort", asked.onAbort);
    try {
      const { message, transfer } = asked.question();
      worker.postMessage(message, transfer);
    } catch (error) {
      finish(({ reject }) => reject(error));
    }
  };
  const finish = (how: (one: Waiting<T>) => void): void => {
    const one = asked;
    asked = undefined;
    if (one !== undefined) settle(one, how);
    next();
  };

  const ended = new Promise<void>((resolve) => {
    worker
      .on("message", (reply: WorkerReply<T>) =>
        finish(({ resolve: answer, reject }) =>
          "error" in reply ? reject(fromCrossing(reply.error)) : answer(reply.result),
        ),
      )
      .on("error", (error: Error) =>
        fail(new RuntimeFailure(`The worker that ${purpose} failed: ${error.message}`, { cause: error })),
      )
      .on("exit", (code) => {
        fail(new RuntimeFailure(`The worker that ${purpose} ended unexpectedly (exit code ${code}).`));
        resolve();
      });
  });
  worker.unref();

  return {
    ask(question, signal) {
      return new Promise<T>((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        if (failure !== undefined) return reject(failure);
        const one: Waiting<T> = { question, resolve, reject, signal, onAbort: () => takeBack(one) };
        const takeBack = (aborted: Waiting<T>): void => {
          queue.splice(queue.indexOf(aborted), 1);
          settle(aborted, () => reject(signal?.reason));
        };
        signal?.addEventListener("abort", one.onAbort);
        queue.push(one);
        next();
      });
    },
    isClosed: () => failure !== undefined,
    close(message) {
      if (failure === undefined) {
        const reason = new RuntimeFailure(`The worker that ${purpose} was closed; start a new one.`);
        failure = reason;
        last = { message };
        for (const one of queue.splice(0)) settle(one, ({ reject }) => reject(reason));
        worker.ref();
        next();
      }
      return ended;
    },
  };
}
