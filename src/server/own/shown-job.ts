import type { Context } from "hono";
import { pictureAddress } from "../http/picture-address.ts";
import type { Job } from "../jobs/job.ts";
import type { ShownJob } from "../schemas/job.ts";

/** A job as its owner sees it; the pictures that it was given stay out. */
export function shownJob(c: Context, job: Job): ShownJob {
  const { id, state, priority, attempts, warnings, error, created, started, finished } = job;
  const { init: _, mask: __, ...request } = job.request;
  return {
    id,
    state,
    priority,
    created: new Date(created).toISOString(),
    ...(started === undefined ? {} : { started: new Date(started).toISOString() }),
    ...(finished === undefined ? {} : { finished: new Date(finished).toISOString() }),
    attempts,
    request,
    pictures: job.pictures.map((picture) => ({ ...picture, url: pictureAddress(c, job, picture) })),
    warnings: [...warnings],
    ...(error === undefined ? {} : { error }),
  };
}
