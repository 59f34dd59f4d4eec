import { setImmediate } from "node:timers/promises";
import { infotextKeyword } from "../../formats/infotext.ts";
import type { DrawingStep, DrawnPicture } from "../../generate/drawing.ts";
import { toPixels } from "../../generate/pixels.ts";
import { drawEvents } from "../../node/draw/draw-events.ts";
import { pictureSettings } from "../../node/draw/picture-settings.ts";
import { packageVersion } from "../../node/package-version.ts";
import { encodePng } from "../../node/picture-files.ts";
import { type CrossingError, toCrossing } from "../../runtime/crossing-error.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { type LoadedModel, loadModel } from "./loaded-model.ts";
import type { EngineJob, EngineReport } from "./messages.ts";
import { type PreparedJob, prepareJob } from "./prepare-job.ts";

/** Draws jobs with one model at a time, which stays ready. */
export interface Studio {
  /**
   * Draws jobs of one model and one set of LoRAs; those that agree in all but prompt and seed, together. Everything is told
   * by reports, also what goes wrong.
   * @param signals by job
   */
  draw(jobs: readonly EngineJob[], batch: number, signals: ReadonlyMap<string, AbortSignal>): Promise<void>;
}

export function createStudio(runtime: Runtime, tell: (report: EngineReport) => void): Studio {
  let loaded: LoadedModel | undefined;
  let prepared = false;
  const counting: Runtime = {
    ...runtime,
    compile: (...of) => {
      prepared = true;
      return runtime.compile(...of);
    },
  };
  const modelAt = async (path: string): Promise<LoadedModel> => {
    if (loaded?.path === path) return loaded;
    await loaded?.close();
    loaded = undefined;
    loaded = await loadModel(path, counting);
    return loaded;
  };
  const settle = (job: string, warnings: readonly string[], error?: CrossingError): void =>
    tell({ kind: "settled", job, warnings, ...(error === undefined ? {} : { error }) });

  return {
    async draw(jobs, batch, signals) {
      const begin = performance.now();
      prepared = false;
      let pictures = 0;
      const signalOf = ({ id }: EngineJob): AbortSignal => signals.get(id)!;
      const ready: PreparedJob[] = [];
      for (const job of jobs) {
        try {
          ready.push(await prepareJob(await modelAt(job.modelPath), job, signalOf(job)));
        } catch (error) {
          settle(job.id, [], toCrossing(error));
        }
      }
      for (const group of groupsOf(ready)) {
        try {
          const signal = allAborted(group.map(({ job }) => signalOf(job)));
          pictures += await drawGroup(loaded!, group, batch, signal, tell);
          for (const { job, warnings } of group) settle(job.id, warnings);
        } catch (error) {
          for (const { job, warnings } of group) settle(job.id, warnings, toCrossing(error));
        }
      }
      tell({ kind: "done", seconds: (performance.now() - begin) / 1000, pictures, prepared });
    },
  };
}

/** Jobs that fit into one network call: those whose texts have as many rows. */
function groupsOf(jobs: readonly PreparedJob[]): readonly (readonly PreparedJob[])[] {
  const groups = new Map<string, PreparedJob[]>();
  for (const job of jobs) {
    const { conditional, unconditional } = job.conditioning;
    const key = job.start === undefined ? `${conditional.context.shape} ${unconditional !== undefined}` : job.job.id;
    groups.set(key, [...(groups.get(key) ?? []), job]);
  }
  return [...groups.values()];
}

/** Aborted when all are: what one of several jobs no longer needs is drawn with the others. */
function allAborted(signals: readonly AbortSignal[]): AbortSignal {
  const all = new AbortController();
  const check = (): void => {
    if (signals.every(({ aborted }) => aborted)) all.abort(signals[0]?.reason);
  };
  for (const signal of signals) signal.addEventListener("abort", check);
  check();
  return all.signal;
}

/** Draws the pictures of a group; gives their number. */
async function drawGroup(
  loaded: LoadedModel,
  group: readonly PreparedJob[],
  batch: number,
  signal: AbortSignal,
  tell: (report: EngineReport) => void,
): Promise<number> {
  const [{ sampler, start, drawing }] = group as [PreparedJob];
  const each = group.flatMap((prepared) =>
    Array.from({ length: prepared.job.request.count }, (_, number) => ({ prepared, number })),
  );
  const { width, height } = drawing.size;
  await loaded.room(`${width}x${height} ${Math.min(batch, each.length)} ${start !== undefined}`);
  const previews = group.some(({ job }) => job.request.previews);
  const beforeStep = loaded.swap.beforeStep(sampler.timesteps.length);
  const request = {
    conditioning: each.map(({ prepared }) => prepared.conditioning),
    sampler,
    size: drawing.size,
    seed: each.map(({ prepared, number }) => prepared.drawing.seed + number),
    count: each.length,
    batch,
    ...(previews ? { preview: loaded.preview } : {}),
    ...(beforeStep === undefined ? {} : { beforeStep }),
  };
  for await (const event of drawEvents(loaded.networks, loaded.model, request, start, signal)) {
    const { prepared, number } = each[event.picture]!;
    tell(
      event.kind === "step" ? await stepReport(event, prepared, number) : await pictureReport(event, prepared, number),
    );
    // Network calls hold the event loop; two turns let it hear of what was cancelled.
    await setImmediate();
    await setImmediate();
    signal.throwIfAborted();
  }
  return each.length;
}

async function stepReport(
  { index, preview }: DrawingStep,
  { job, sampler }: PreparedJob,
  picture: number,
): Promise<EngineReport> {
  const steps = Math.max(sampler.timesteps.length, index + 1);
  const shown =
    preview === undefined || !job.request.previews ? {} : { preview: await encodePng(toPixels(preview), {}) };
  return { kind: "step", job: job.id, picture, step: index + 1, steps, ...shown };
}

async function pictureReport(
  { seed, pixels }: DrawnPicture,
  { job, drawing }: PreparedJob,
  number: number,
): Promise<EngineReport> {
  const settings = pictureSettings(drawing, seed, packageVersion());
  const png = await encodePng(toPixels(pixels), { [infotextKeyword]: settings });
  return { kind: "picture", job: job.id, picture: { number, seed, settings, png } };
}
