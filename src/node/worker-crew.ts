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
  /** The replies that come unasked, once, when the workers have started. @throws RuntimeFailure as `ask` */
  started(): Promise<readonly Reply[]>;
  /** Ends all threads, those included that wait for one another. */
  dispose(): Promise<void>;
}

interface Waiting<Reply> {
  readonly replies: (Reply | undefined)[];
  readonly resolve: (replies: readonly Reply[]) => void;
  readonly reject: (failure: RuntimeFailure) => void;
}

/**
 * Joins workers to a crew. A worker that has failed never reaches the point where the others wait for it, so these are ended
 * with it: no thread is left blocked.
 */
export function workerCrew<Reply extends { readonly kind: string }>(workers: readonly Worker[]): WorkerCrew<Reply> {
  let failure: RuntimeFailure | undefined;
  let waiting: Waiting<Reply> | undefined;
  let ended: Promise<void> | undefined;

  const dispose = (): Promise<void> => {
    failure ??= new RuntimeFailure("The training workers were disposed; start an engine anew to train.");
    ended ??= Promise.all(workers.map((worker) => worker.terminate())).then(() => {});
    return ended;
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
    if (one === undefined) return;
    one.replies[index] = reply;
    const all = one.replies.filter((known) => known !== undefined);
    if (all.length < workers.length) return;
    waiting = undefined;
    one.resolve(all);
  };

  workers.forEach((worker, index) => {
    worker
      .on("message", (message: Reply | WorkerFailed) => {
        if (isFailed(message)) fail(new RuntimeFailure(message.message));
        else answer(index, message);
      })
      .on("error", (error: Error) =>
        fail(new RuntimeFailure(`A training worker failed: ${error.message}`, { cause: error })),
      )
      .on("exit", () =>
        fail(new RuntimeFailure("A training worker ended unexpectedly; resume the run from its last checkpoint.")),
      );
  });

  const collect = (): Promise<readonly Reply[]> =>
    new Promise((resolve, reject) => {
      if (failure === undefined) waiting = { replies: workers.map(() => undefined), resolve, reject };
      else rejectAtEnd(reject, failure);
    });
  return {
    started: collect,
    ask(messages) {
      const replies = collect();
      workers.forEach((worker, index) => {
        if (failure === undefined) worker.postMessage(messages[index]);
      });
      return replies;
    },
    dispose,
  };
}

function isFailed(message: { readonly kind: string }): message is WorkerFailed {
  return message.kind === "failed";
}
