import { UsageError } from "../errors.ts";
import { ddimFromConfig } from "./ddim.ts";
import { eulerFromConfig } from "./euler.ts";
import { lcmFromConfig } from "./lcm.ts";
import type { SamplerRequest } from "./request.ts";
import type { Sampler } from "./sampler.ts";

/** What users write. */
export type SamplerName = "lcm" | "ddim" | "euler";

/** How each sampler is made from a scheduler configuration. */
export const samplers: Readonly<Record<SamplerName, (request: SamplerRequest) => Sampler>> = {
  lcm: lcmFromConfig,
  ddim: ddimFromConfig,
  euler: eulerFromConfig,
};

/** Every sampler's name. */
export const samplerNames: readonly SamplerName[] = Object.keys(samplers) as SamplerName[];

/** Whether a word is a sampler's name. */
export function isSamplerName(name: string): name is SamplerName {
  return Object.hasOwn(samplers, name);
}

/**
 * The sampler of a name for a model's scheduler configuration.
 * @throws UsageError when there is no such sampler, or the request does not fit it
 */
export function createSampler(name: string, request: SamplerRequest): Sampler {
  if (!isSamplerName(name)) {
    throw new UsageError(`There is no sampler "${name}"; choose one of ${samplerNames.join(", ")}.`);
  }
  return samplers[name](request);
}
