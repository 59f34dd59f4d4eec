import { stat } from "node:fs/promises";
import { UsageError } from "../errors.ts";
import { isCheckpoint } from "../node/arithmetic/checkpoint.ts";
import type { LoraOperand } from "../node/arithmetic/lora-operand.ts";
import { resolveFile, resolveModel } from "../node/hub/models.ts";
import { parseHubReference } from "../node/hub/reference.ts";
import type { FloatType } from "../tensor/convert.ts";
import { type CliContext, warn } from "./command.ts";
import { fetchOptions } from "./fetching.ts";

/** Types of weights as people call them. */
export const fileTypes: Readonly<Record<FileType, Exclude<FloatType, "float64">>> = {
  fp16: "float16",
  bf16: "bfloat16",
  fp32: "float32",
};
export type FileType = "fp16" | "bf16" | "fp32";

/** A model or a LoRA of a command line, and how much it counts. */
export interface VectorOperand {
  readonly path: string;
  readonly weight: number;
  readonly isModel: boolean;
}

/**
 * Reads `FILE`, `FILE:weight`, or the same of a folder or of a hub's `owner/name`; a colon may be part of a file's name.
 * @param hub what a hub's repository holds
 * @throws UsageError when there is no such file, or the weight is no number
 */
export async function vectorOperand(text: string, hub: "model" | "lora", context: CliContext): Promise<VectorOperand> {
  const split = (await splitLocal(text)) ?? (await fetched(text, hub, context));
  const weight = split.rest === "" ? 1 : Number(split.rest.slice(1).trim() || Number.NaN);
  if (!Number.isFinite(weight)) {
    throw new UsageError(`${text}: the weight must be a number, but it is "${split.rest.slice(1)}"; write FILE:0.8.`);
  }
  return { path: split.path, weight, isModel: await isCheckpoint(split.path) };
}

interface Split {
  readonly path: string;
  /** What follows, with its colon. */
  readonly rest: string;
}

/** The longest beginning that exists. */
async function splitLocal(text: string): Promise<Split | undefined> {
  for (let end = text.length; end > 0; end = text.lastIndexOf(":", end - 1)) {
    const path = text.slice(0, end);
    if ((await stat(path).catch(() => undefined)) !== undefined) return { path, rest: text.slice(end) };
  }
  return undefined;
}

async function fetched(text: string, hub: "model" | "lora", context: CliContext): Promise<Split> {
  const colon = text.indexOf(":");
  const name = colon < 0 ? text : text.slice(0, colon);
  if (parseHubReference(name) === undefined) {
    throw new UsageError(`${text}: there is no such file or folder; give a model, a LoRA, or FILE:weight.`);
  }
  const options = fetchOptions(context);
  const path = hub === "model" ? (await resolveModel(name, undefined, options)).path : await resolveFile(name, options);
  return { path, rest: text.slice(name.length) };
}

/** Tells of keys of a LoRA that name no layer of the model. */
export function warnOfUnmatched({ name, unmatched }: LoraOperand, context: CliContext): void {
  if (unmatched.length === 0) return;
  warn(context, `${name}: ${unmatched.length} keys name no layer of the model, such as "${unmatched[0]}".`);
}

/** The work's result; where the user has stopped it, the error that says so, whatever it became on its way. */
export async function untilStopped<T>({ signal }: CliContext, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
