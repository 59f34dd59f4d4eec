import type { Context } from "hono";
import type { Job, PictureRecord } from "../jobs/job.ts";

/** Where a picture is found, on the server that was asked. */
export function pictureAddress(c: Context, { pictureKey }: Pick<Job, "pictureKey">, { number }: PictureRecord): string {
  return `${new URL(c.req.url).origin}/pictures/${pictureKey}/${number}.png`;
}
