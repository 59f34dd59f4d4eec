import { randomInt } from "node:crypto";
import { seeds } from "../node/draw/prepare-drawing.ts";
import { jobEvents } from "./jobs/await-job.ts";
import { isFinal, type Job, type JobListener } from "./jobs/job.ts";
import { checkLimits } from "./limits.ts";
import { Problem, type ProblemKind } from "./problem.ts";
import type { DrawRequest } from "./schemas/draw-request.ts";
import type { JobFailure } from "./schemas/job.ts";
import type { ServerParts } from "./server-parts.ts";

/** What is said of a job beside what to draw. */
export interface JobWishes {
  readonly priority?: number;
  /** The same for the same job, so that a client may ask again when it got no answer. */
  readonly id?: string;
}

/**
 * Hands in a job.
 * @throws Problem when it asks for too much or for what is not here, there is no place, or the server is about to end
 */
export async function submitJob(
  { queue, catalog, limits, draining }: ServerParts,
  request: DrawRequest,
  { priority = 0, id }: JobWishes = {},
): Promise<Job> {
  if (draining.aborted) throw ending();
  checkLimits(request, limits);
  const model = request.model === undefined ? catalog.usual : await catalog.find(request.model);
  if (model === undefined) {
    throw new Problem("not_found", `There is no model "${request.model}" here.`, { field: "model" });
  }
  const settled = { ...request, model: model.name, seed: request.seed ?? randomInt(seeds) };
  return queue.add({ request: settled, priority, ...(id === undefined ? {} : { id }) });
}

/**
 * Draws for a client that waits: the finished job.
 *
 * A client that goes away takes its job back. A job that still waits when the server is about to end is refused.
 * @param gone aborted when the client is gone
 * @throws Problem when the job is refused, fails, is cancelled or takes too long
 */
export async function drawNow(
  parts: ServerParts,
  request: DrawRequest,
  gone: AbortSignal,
  onEvent: JobListener = () => {},
  wishes: JobWishes = {},
): Promise<Job> {
  const job = await submitJob(parts, request, wishes);
  const { queue, limits, draining } = parts;
  const late = AbortSignal.timeout(1000 * limits.waitSeconds);
  const refused = new AbortController();
  const onDrain = async (): Promise<void> => {
    if ((await queue.find(job.id))?.state === "waiting") refused.abort(ending());
  };
  const drain = (): void => void onDrain();
  draining.addEventListener("abort", drain);
  try {
    for await (const event of jobEvents(queue, job.id, AbortSignal.any([gone, late, refused.signal]))) {
      if (event.kind === "state" && isFinal(event.state)) break;
      onEvent(event);
    }
  } catch (error) {
    await queue.cancel(job.id);
    if (refused.signal.aborted) throw refused.signal.reason;
    if (late.aborted) throw new Problem("timeout", `No picture came within ${limits.waitSeconds} seconds.`);
    if (gone.aborted) throw new Problem("unavailable", "The client went away.");
    throw error;
  } finally {
    draining.removeEventListener("abort", drain);
  }
  const finished = await queue.find(job.id);
  if (finished?.state === "done") return finished;
  throw finished?.error === undefined
    ? new Problem("unavailable", "The job was cancelled.")
    : problemOf(finished.error);
}

const kinds: Readonly<Record<JobFailure["kind"], ProblemKind>> = {
  invalid: "invalid",
  crashed: "failed",
  interrupted: "failed",
  failed: "failed",
  timeout: "timeout",
};

const problemOf = ({ kind, message }: JobFailure): Problem => new Problem(kinds[kind], message);

const ending = (): Problem =>
  new Problem("unavailable", "The server is about to end and takes nothing new.", { retryAfterSeconds: 10 });

/** The PNGs of a job that is done. */
export async function picturesOf({ queue }: Pick<ServerParts, "queue">, job: Job): Promise<Uint8Array[]> {
  const pngs = await Promise.all(job.pictures.map(({ number }) => queue.picture(job.pictureKey, number)));
  return pngs.filter((png) => png !== undefined);
}
