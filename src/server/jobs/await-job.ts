import { isFinal, type Job, type JobEvent } from "./job.ts";
import type { JobQueue } from "./job-queue.ts";

/** A job is looked at so often in any case, should an event have been lost between machines. */
const lookAgainMs = 2000;

/**
 * What happens to a job, from now until it is finished; the last event is its final state. Ends at once for a job that is
 * finished already.
 * @throws the signal's reason, when it is aborted first
 */
export async function* jobEvents(
  queue: Pick<JobQueue, "find" | "follow">,
  id: string,
  signal: AbortSignal,
): AsyncGenerator<JobEvent> {
  const arrived: JobEvent[] = [];
  let wake = (): void => {};
  const leave = queue.follow(id, (event) => {
    arrived.push(event);
    wake();
  });
  const onAbort = (): void => wake();
  signal.addEventListener("abort", onAbort);
  try {
    for (;;) {
      signal.throwIfAborted();
      if (arrived.length === 0) {
        const state = (await queue.find(id))?.state ?? "cancelled";
        if (isFinal(state)) {
          yield* arrived.splice(0).filter(({ kind }) => kind !== "state");
          yield { kind: "state", state };
          return;
        }
        let timer: NodeJS.Timeout | undefined;
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (arrived.length > 0 || signal.aborted) resolve();
          else timer = setTimeout(resolve, lookAgainMs);
        });
        clearTimeout(timer);
      }
      for (let event = arrived.shift(); event !== undefined; event = arrived.shift()) {
        if (event.kind === "state" && isFinal(event.state)) {
          yield event;
          return;
        }
        yield event;
      }
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    leave();
  }
}

/** The finished job. @throws the signal's reason, when it is aborted first */
export async function finishedJob(queue: JobQueue, id: string, signal: AbortSignal): Promise<Job | undefined> {
  for await (const event of jobEvents(queue, id, signal)) {
    if (event.kind === "state" && isFinal(event.state)) break;
  }
  return queue.find(id);
}
