import type { CrossingError } from "../../runtime/crossing-error.ts";
import type { Catalog } from "../catalog.ts";
import type { BatchGauge } from "../engine/batch-gauge.ts";
import { type Engine, EngineCrash, type EngineDone } from "../engine/engine.ts";
import type { EngineJob } from "../engine/messages.ts";
import type { JobFailure } from "../schemas/job.ts";
import type { ServerLog } from "../server-log.ts";
import type { Work, WorkSource } from "./job-queue.ts";

/** What draws the jobs of a queue. */
export interface DrawingLoop {
  readonly source: WorkSource;
  readonly engine: Engine;
  readonly gauge: BatchGauge;
  readonly catalog: Catalog;
  readonly log: ServerLog;
  /** Pictures of a batch, at most. */
  readonly mostInBatch: number;
  readonly jobSeconds: number;
  /** Told of each drawing that came to its end. */
  readonly onDrawn: (done: EngineDone, jobs: number) => void;
}

/** A job that is told to stop has so long for the step that it is in; then the engine's process is ended. */
const graceMs = 10_000;

/** A job during which the engine was killed from outside, as by a system without memory, is begun once more. */
const mostKilled = 2;

/** Draws jobs as they come; ends after those in hand, once the signal is aborted. */
export async function drawJobs(loop: DrawingLoop, stop: AbortSignal): Promise<void> {
  for (;;) {
    const first = await loop.source.take(stop);
    if (first === undefined) return;
    try {
      await drawTogether(loop, await withCompany(loop, first));
    } catch (error) {
      loop.log.error("A job could not be settled.", { job: first.job.id, error });
    }
  }
}

/** The job, with waiting ones that agree with it where that is faster. */
async function withCompany({ source, gauge, mostInBatch }: DrawingLoop, first: Work): Promise<readonly Work[]> {
  const { batchKey, request } = first.job;
  if (batchKey === undefined || first.alone) return [first];
  const room = gauge.choose(batchKey, mostInBatch) - request.count;
  return room > 0 ? [first, ...(await source.takeLike(batchKey, room))] : [first];
}

async function drawTogether(loop: DrawingLoop, works: readonly Work[]): Promise<void> {
  const { engine, gauge, catalog, log } = loop;
  const [{ job: first }] = works as [Work];
  const model = await catalog.find(first.request.model);
  if (model === undefined) {
    const message = `There is no model "${first.request.model}" here; /api/models names those that are.`;
    await Promise.all(works.map((work) => work.fail({ kind: "invalid", message })));
    return;
  }
  const jobs = works.map(({ job: { id, request } }): EngineJob => {
    return { id, request, modelPath: model.path, loraFolders: catalog.loraFolders };
  });
  const pictures = works.reduce((sum, { job }) => sum + job.request.count, 0);
  const kind = first.batchKey ?? first.id;
  const batch = first.batchKey === undefined ? 1 : gauge.choose(kind, pictures);
  const hands = works.map((work) => handOf(work, log));
  const byId = new Map(hands.map((hand) => [hand.work.job.id, hand]));
  const watch = watchTime(loop, works);
  const leave = works.map((work) => onAbort(work.signal, () => engine.cancel(work.job.id)));
  try {
    const done = await engine.draw(jobs, batch, (report) => {
      if (report.kind === "ready" || report.kind === "done") return;
      const hand = byId.get(report.job);
      if (report.kind === "step") hand?.work.report(report);
      else if (report.kind === "picture") {
        const { png, ...picture } = report.picture;
        hand?.keep(picture, png);
      } else hand?.settle(report.warnings, report.error, watch.isOver());
    });
    if (!done.prepared && done.pictures > 0) gauge.measured(kind, batch, done.seconds / done.pictures);
    loop.onDrawn(done, works.length);
  } catch (error) {
    if (!(error instanceof EngineCrash)) throw error;
    log.error(error.message, { jobs: works.map(({ job }) => job.id), timeout: watch.isOver() });
    for (const hand of hands) hand.broken(error, works.length > 1, watch.isOver());
  } finally {
    watch.end();
    for (const off of leave) off();
    await Promise.all(hands.map((hand) => hand.finished()));
  }
}

/** What is done with one job of a drawing, in order. */
interface Hand {
  readonly work: Work;
  keep(...picture: Parameters<Work["keep"]>): void;
  settle(warnings: readonly string[], error: CrossingError | undefined, late: boolean): void;
  broken(crash: EngineCrash, inCompany: boolean, late: boolean): void;
  finished(): Promise<void>;
}

function handOf(work: Work, log: ServerLog): Hand {
  const { job } = work;
  let last: Promise<void> = Promise.resolve();
  let settled = false;
  const then = (action: () => Promise<void>): void => {
    last = last.then(action).catch((error: unknown) => {
      log.error("A job's state could not be kept.", { job: job.id, error });
    });
  };
  const settle = (action: () => Promise<void>): void => {
    if (settled) return;
    settled = true;
    then(action);
  };
  return {
    work,
    keep: (...picture) => then(() => work.keep(...picture)),
    settle: (warnings, error, late) =>
      settle(() => {
        if (error === undefined) return work.done(warnings);
        if (error.name === "AbortError") return late ? work.fail(tooLate, warnings) : work.cancelled();
        if (!known.has(error.name)) log.error("A drawing failed unexpectedly.", { job: job.id, error });
        return work.fail(failureOf(error), warnings);
      }),
    broken: (crash, inCompany, late) =>
      settle(() => {
        if (work.signal.aborted) return work.cancelled();
        if (late) return work.fail(tooLate);
        const again = inCompany || (crash.signal === "SIGKILL" && job.attempts < mostKilled);
        return again ? work.release({ alone: true }) : work.fail({ kind: "crashed", message: crash.message });
      }),
    finished: () => last,
  };
}

const tooLate: JobFailure = { kind: "timeout", message: "Drawing took longer than this server allows." };

/** Errors that say what was wrong with a request. */
const invalid: ReadonlySet<string> = new Set(["UsageError", "FormatError", "AdapterError", "ShapeError"]);
const known: ReadonlySet<string> = new Set([...invalid, "CheckpointError", "RuntimeFailure"]);

function failureOf({ name, message }: CrossingError): JobFailure {
  if (invalid.has(name)) return { kind: "invalid", message: withoutFolders(message) };
  if (known.has(name)) return { kind: "failed", message: withoutFolders(message) };
  return { kind: "failed", message: "The drawing failed for a reason that the server's log names." };
}

/** A sentence that names files without saying where they lie. */
export function withoutFolders(message: string): string {
  return message.replaceAll(/(?<![\w.])(?:[A-Za-z]:)?[\\/](?:[^\s\\/:"']+[\\/])+/g, "");
}

/** Stops a drawing that takes too long, first by asking, then by ending the engine's process. */
function watchTime({ engine, jobSeconds }: DrawingLoop, works: readonly Work[]): { isOver(): boolean; end(): void } {
  let over = false;
  let hard: NodeJS.Timeout | undefined;
  const soft = setTimeout(
    () => {
      over = true;
      for (const { job } of works) engine.cancel(job.id);
      hard = setTimeout(() => engine.kill(), graceMs);
    },
    1000 * jobSeconds * works.length,
  );
  return {
    isOver: () => over,
    end() {
      clearTimeout(soft);
      clearTimeout(hard);
    },
  };
}

function onAbort(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) listener();
  signal.addEventListener("abort", listener);
  return () => signal.removeEventListener("abort", listener);
}
