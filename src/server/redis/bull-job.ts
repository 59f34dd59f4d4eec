import type { Job as BullJob } from "bullmq";
import type { Job, JobEvent, PictureRecord } from "../jobs/job.ts";
import { failureKinds, type JobFailure, type JobState } from "../schemas/job.ts";
import type { RedisSpace } from "./redis-space.ts";

/** What BullMQ holds of a job. */
export interface JobData {
  readonly request: Job["request"];
  readonly pictureKey: string;
  readonly batchKey: string | undefined;
  readonly priority: number;
}

export interface JobResult {
  readonly warnings: readonly string[];
}

export type StoredJob = BullJob<JobData, JobResult, string>;

/** The reason that BullMQ keeps of a job which was stopped. */
export const cancelledReason = "cancelled";

/** BullMQ takes the lowest number first, from 1 on. */
export const bullPriority = (priority: number): number => 101 - priority;

/** A job as this project has it; undefined when it was removed in the meantime. */
export async function jobOfBull(space: RedisSpace, stored: StoredJob): Promise<Job | undefined> {
  const found = await stored.getState();
  const { data, returnvalue, failedReason } = stored;
  if (data?.pictureKey === undefined) return undefined;
  const state = stateOf(found, failedReason);
  return {
    id: stored.id!,
    pictureKey: data.pictureKey,
    state,
    priority: data.priority,
    request: data.request,
    batchKey: data.batchKey,
    created: stored.timestamp,
    started: stored.processedOn,
    finished: stored.finishedOn,
    attempts: stored.attemptsStarted,
    pictures: await picturesOf(space, data.pictureKey),
    warnings: returnvalue?.warnings ?? [],
    error: state === "failed" ? failureOf(failedReason) : undefined,
  };
}

function stateOf(found: string, reason: string | undefined): JobState {
  if (found === "active") return "running";
  if (found === "completed") return "done";
  if (found === "failed") return reason === cancelledReason ? "cancelled" : "failed";
  return "waiting";
}

async function picturesOf({ client, key }: RedisSpace, pictureKey: string): Promise<PictureRecord[]> {
  const records = await client.hvals(key("records", pictureKey));
  return records.map((text) => JSON.parse(text) as PictureRecord).sort((a, b) => a.number - b.number);
}

/** A failure as BullMQ keeps it. */
export const reasonOf = (failure: JobFailure): string => JSON.stringify(failure);

function failureOf(reason: string | undefined): JobFailure {
  try {
    const { kind, message } = JSON.parse(reason ?? "") as JobFailure;
    if (failureKinds.includes(kind) && typeof message === "string") return { kind, message };
  } catch {
    // BullMQ's own words, of a job whose workers were lost too often.
  }
  return { kind: "interrupted", message: "The machines that drew this job were lost, so it was given up." };
}

/** An event as it goes through Redis; previews as base64. */
export interface SentEvent {
  readonly event:
    | Exclude<JobEvent, { readonly kind: "step" }>
    | Omit<Extract<JobEvent, { readonly kind: "step" }>, "preview">;
  readonly preview?: string;
}

export function sentEvent(event: JobEvent): SentEvent {
  if (event.kind !== "step" || event.preview === undefined) return { event };
  const { preview, ...rest } = event;
  return { event: rest, preview: Buffer.from(preview).toString("base64") };
}

export function receivedEvent({ event, preview }: SentEvent): JobEvent {
  return preview === undefined ? event : ({ ...event, preview: Buffer.from(preview, "base64") } as JobEvent);
}
