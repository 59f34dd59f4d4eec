import type { Worker } from "node:worker_threads";
import { RuntimeFailure } from "../errors.ts";

/** What every worker of a crew answers, beside replies of its own kind. */
export interface WorkerFailed {
  readonly kind: "failed";
  /** One sentence. */
  readonly message: string;
}

/** Workers that act as one: each question goes to all, and the first failure of one ends all. */
export interface WorkerCrew<Reply> {
  /**
   * The replies of all workers to what each is sent, in their order. One question at a time.
   * @throws RuntimeFailure when a worker fails or ends, now or earlier
   */
  ask(messages: readonly unknown[]): Promise<readonly Reply[]>;
  /** Starts the workers; their first replies, which come unasked. To be called once, first. @throws RuntimeFailure as `ask` */
  started(): Promise<readonly Reply[]>;
  /** Ends all threads, those included that wait for one another. */
  dispose(): Promise<void>;
}

export interface CrewOptions {
  /** Lets workers go that wait for each other, so that each ends what it does and replies. */
  readonly release?: () => void;
  /** How long, in milliseconds, workers may take to reply before they are ended in the middle. */
  readonly patience?: number;
}

interface Waiting<Reply> {
  /** Of those workers alone that are asked. */
  readonly replies: Map<number, Reply | undefined>;
  readonly resolve: (replies: readonly Reply[]) => void;
  readonly reject: (failure: RuntimeFailure) => void;
}

/**
 * Joins workers to a crew. A worker that has failed never reaches the point where the others wait for it, so these are ended
 * with it: no thread is left blocked.
 *
 * They start and end one after another: ONNX Runtime's library, loaded or unloaded by two threads at once, crashes the
 * process now and then (microsoft/onnxruntime issue 20084). It does so, too, when a thread is ended that is inside it.
 */
export function workerCrew<Reply extends { readonly kind: string }>(
  starts: readonly (() => Worker)[],
  { release = () => {}, patience = 60_000 }: CrewOptions = {},
): WorkerCrew<Reply> {
  const workers: Worker[] = [];
  /** Workers that owe a reply. */
  const busy = new Set<number>();
  let onIdle = (): void => {};
  let failure: RuntimeFailure | undefined;
  let waiting: Waiting<Reply> | undefined;
  let ended: Promise<void> | undefined;

  const dispose = (): Promise<void> => {
    failure ??= new RuntimeFailure("The training workers were disposed; start an engine anew to train.");
    ended ??= endAll();
    return ended;
  };
  const endAll = async (): Promise<void> => {
    release();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, patience);
      onIdle = () => {
        if (busy.size > 0) return;
        clearTimeout(timer);
        resolve();
      };
      onIdle();
    });
    for (const worker of workers) await worker.terminate();
  };
  const fail = (reason: RuntimeFailure): void => {
    failure ??= reason;
    const one = waiting;
    waiting = undefined;
    if (one === undefined) void dispose();
    else rejectAtEnd(one.reject, failure);
  };
  /** Only when no thread is left does the caller learn of a failure. */
  const rejectAtEnd = (reject: Waiting<Reply>["reject"], reason: RuntimeFailure): void => {
    void dispose().then(() => reject(reason));
  };
  const answer = (index: number, reply: Reply): void => {
    const one = waiting;
    if (one === undefined || failure !== undefined) return;
    one.replies.set(index, reply);
    const all = [...one.replies.values()].filter((known) => known !== undefined);
    if (all.length < one.replies.size) return;
    waiting = undefined;
    one.resolve(all);
  };

  const rest = (index: number): void => {
    busy.delete(index);
    onIdle();
  };
  const listen = (worker: Worker, index: number): void => {
    worker
      .on("message", (message: Reply | WorkerFailed) => {
        rest(index);
        if (isFailed(message)) fail(new RuntimeFailure(message.message));
        else answer(index, message);
      })
      .on("error", (error: Error) =>
        fail(new RuntimeFailure(`A training worker failed: ${error.message}`, { cause: error })),
      )
      .on("exit", () => {
        rest(index);
        fail(new RuntimeFailure("A training worker ended unexpectedly; resume the run from its last checkpoint."));
      });
  };

  const collect = (indices: Iterable<number>): Promise<readonly Reply[]> =>
    new Promise((resolve, reject) => {
      const replies = new Map<number, Reply | undefined>(Array.from(indices, (index) => [index, undefined]));
      if (failure === undefined) waiting = { replies, resolve, reject };
      else rejectAtEnd(reject, failure);
    });
  return {
    async started() {
      const first: Reply[] = [];
      for (const [index, start] of starts.entries()) {
        const reply = collect([index]);
        if (failure === undefined) {
          busy.add(index);
          workers.push(start());
          listen(workers[index]!, index);
        }
        first.push(...(await reply));
      }
      return first;
    },
    ask(messages) {
      const replies = collect(workers.keys());
      workers.forEach((worker, index) => {
        if (failure !== undefined) return;
        busy.add(index);
        worker.postMessage(messages[index]);
      });
      return replies;
    },
    dispose,
  };
}

function isFailed(message: { readonly kind: string }): message is WorkerFailed {
  return message.kind === "failed";
}
