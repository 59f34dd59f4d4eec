import { UsageError } from "../errors.ts";
import { ddimFromConfig } from "./ddim.ts";
import { ddpmFromConfig } from "./ddpm.ts";
import { dpmAdaptiveFromConfig } from "./dpm-adaptive.ts";
import { dpmMultistepFromConfig } from "./dpm-multistep.ts";
import { dpmSinglestepFromConfig } from "./dpm-singlestep.ts";
import { eulerFromConfig } from "./euler.ts";
import { eulerAncestralFromConfig } from "./euler-ancestral.ts";
import { heunFromConfig } from "./heun.ts";
import { lcmFromConfig } from "./lcm.ts";
import { isSamplerName, type SamplerName, samplerNamed, samplerNames } from "./names.ts";
import { pndmFromConfig } from "./pndm.ts";
import type { SamplerRequest } from "./request.ts";
import type { Sampler } from "./sampler.ts";
import { tcdFromConfig } from "./tcd.ts";
import { uniPcFromConfig } from "./unipc.ts";

export { isSamplerName, type SamplerName, samplerNames };

/** How each sampler is made from a scheduler configuration. */
export const samplers: Readonly<Record<SamplerName, (request: SamplerRequest) => Sampler>> = {
  lcm: lcmFromConfig,
  ddim: ddimFromConfig,
  euler: eulerFromConfig,
  "euler-ancestral": eulerAncestralFromConfig,
  heun: heunFromConfig,
  "dpm-solver": dpmMultistepFromConfig("dpmsolver"),
  "dpm-solver++": dpmMultistepFromConfig("dpmsolver++"),
  "dpm-solver-sde": dpmMultistepFromConfig("sde-dpmsolver"),
  "dpm-solver++-sde": dpmMultistepFromConfig("sde-dpmsolver++"),
  "dpm-solver-single": dpmSinglestepFromConfig("dpmsolver"),
  "dpm-solver++-single": dpmSinglestepFromConfig("dpmsolver++"),
  "dpm-solver-sde-single": dpmSinglestepFromConfig("sde-dpmsolver"),
  "dpm-solver++-sde-single": dpmSinglestepFromConfig("sde-dpmsolver++"),
  "dpm-solver-12": dpmAdaptiveFromConfig(2),
  "dpm-solver-23": dpmAdaptiveFromConfig(3),
  unipc: uniPcFromConfig,
  pndm: pndmFromConfig,
  tcd: tcdFromConfig,
  ddpm: ddpmFromConfig,
};

/**
 * The sampler of a name (its own, or another that `samplerNamed` knows) for a model's scheduler configuration.
 * @throws UsageError when there is no such sampler, or the request does not fit it
 */
export function createSampler(name: string, request: SamplerRequest): Sampler {
  const named = samplerNamed(name);
  if (named === undefined) {
    throw new UsageError(`There is no sampler "${name}"; choose one of ${samplerNames.join(", ")}.`);
  }
  return samplers[named.name]({ ...request, choices: { ...named.choices, ...request.choices } });
}
