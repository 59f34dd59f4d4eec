import { existsSync, statSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { UsageError } from "../errors.ts";
import { cachedRepository } from "./hub/cache.ts";

/** A LoRA's file and how strongly it is applied. */
export interface LoraChoice {
  readonly path: string;
  readonly weight: number;
}

/** Where a model's folder holds LoRAs of its own. */
export function ownLora(modelFolder: string, name: string): string {
  return join(modelFolder, "lora", extname(name) === ".safetensors" ? name : `${name}.safetensors`);
}

/** The acceleration vector that a model's folder brings along, if it does. */
export function ownLcmLora(modelFolder: string): string | undefined {
  const path = ownLora(modelFolder, "lcm-lora");
  return existsSync(path) ? path : undefined;
}

/** The name that LoRAs on model hubs share; there, the folder says which one it is. */
const hubName = "pytorch_lora_weights.safetensors";

/** Whether a file's name says that it is an acceleration vector: published LCM-LoRAs are named so. */
export function isLcmLora(path: string): boolean {
  const full = resolve(path);
  const name = basename(full) === hubName ? (cachedRepository(full) ?? basename(dirname(full))) : basename(full);
  return /(^|[^a-z])lcm([^a-z]|$)/i.test(name);
}

/**
 * A LoRA as users write it, `FILE` or `FILE:weight`. A bare name that is no file stands for one of the LoRAs that the
 * model's folder brings along.
 * @throws UsageError when there is no such file, or the weight is no number
 */
export function parseLoraChoice(text: string, modelFolder: string): LoraChoice {
  const whole = findLora(text, modelFolder);
  if (whole !== undefined) return { path: whole, weight: 1 };
  const colon = text.lastIndexOf(":");
  const path = colon > 0 ? findLora(text.slice(0, colon), modelFolder) : undefined;
  if (path === undefined) {
    throw new UsageError(`${text}: there is no such LoRA file; give a safetensors file, or FILE:weight.`);
  }
  const weight = text.slice(colon + 1);
  const number = Number(weight);
  if (weight.trim() === "" || !Number.isFinite(number)) {
    throw new UsageError(`${text}: the weight "${weight}" must be a number, such as 0.8.`);
  }
  return { path, weight: number };
}

function findLora(name: string, modelFolder: string): string | undefined {
  if (isFile(name)) return name;
  const own = /[\\/]/.test(name) ? undefined : ownLora(modelFolder, name);
  return own !== undefined && isFile(own) ? own : undefined;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
