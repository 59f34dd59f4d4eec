import type { Context } from "hono";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import type { RequestVariables } from "../http/router.ts";
import { jobEvents } from "../jobs/await-job.ts";
import { isFinal, type JobEvent } from "../jobs/job.ts";
import type { ServerParts } from "../server-parts.ts";
import { shownJob } from "./shown-job.ts";

/** So often something is sent in any case, so that nothing between here and the client takes the line for dead. */
const heartbeatMs = 15_000;

/** How a stream of events shows pictures, and what becomes of the job when the client leaves. */
export interface StreamOptions {
  /** Pictures as data URLs in the events, beside their addresses. */
  readonly inline: boolean;
  /** Whether the job is taken back when the client is gone. */
  readonly owned: boolean;
}

/**
 * A job's events as server-sent events: `job` with its whole state, at first and whenever that changes, `step` and `picture`
 * in between. The stream ends with the job.
 */
export function streamJob(
  c: Context<RequestVariables>,
  parts: ServerParts,
  id: string,
  { inline, owned }: StreamOptions,
): Response {
  const { queue, closing, log } = parts;
  c.header("x-accel-buffering", "no");
  return streamSSE(
    c,
    async (stream) => {
      const gone = new AbortController();
      stream.onAbort(() => gone.abort());
      const beat = setInterval(() => void stream.write(": \n\n"), heartbeatMs);
      try {
        await sendJob(c, parts, stream, id);
        for await (const event of jobEvents(queue, id, AbortSignal.any([gone.signal, c.req.raw.signal, closing]))) {
          await send(c, parts, stream, id, event, inline);
        }
      } catch (error) {
        if (!gone.signal.aborted && !c.req.raw.signal.aborted && !closing.aborted) throw error;
      } finally {
        clearInterval(beat);
        if (owned && !closing.aborted) await queue.cancel(id);
      }
    },
    async (error) => log.error("A stream of events failed.", { requestId: c.get("requestId"), error }),
  );
}

async function send(
  c: Context<RequestVariables>,
  parts: ServerParts,
  stream: SSEStreamingApi,
  id: string,
  event: JobEvent,
  inline: boolean,
): Promise<void> {
  if (event.kind === "state") return sendJob(c, parts, stream, id);
  if (event.kind === "step") {
    const { picture, step, steps, preview } = event;
    const shown = preview === undefined ? {} : { preview: dataUrl(preview) };
    return stream.writeSSE({ event: "step", data: JSON.stringify({ picture, step, steps, ...shown }) });
  }
  const job = await parts.queue.find(id);
  const picture = job?.pictures.find(({ number }) => number === event.picture);
  if (job === undefined || picture === undefined) return;
  const shown = shownJob(c, job).pictures.find(({ number }) => number === event.picture);
  const png = inline ? await parts.queue.picture(job.pictureKey, event.picture) : undefined;
  const data = png === undefined ? {} : { data: dataUrl(png) };
  return stream.writeSSE({ event: "picture", data: JSON.stringify({ ...shown, ...data }) });
}

async function sendJob(
  c: Context<RequestVariables>,
  { queue }: ServerParts,
  stream: SSEStreamingApi,
  id: string,
): Promise<void> {
  const job = await queue.find(id);
  if (job === undefined) return;
  const event = isFinal(job.state) ? "end" : "job";
  await stream.writeSSE({ event, data: JSON.stringify(shownJob(c, job)) });
}

const dataUrl = (png: Uint8Array): string => `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
