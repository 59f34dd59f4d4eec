import { UsageError } from "../errors.ts";
import { lcmFromConfig } from "../samplers/lcm.ts";
import { createSampler, type SamplerName } from "../samplers/registry.ts";
import type { SamplerRequest } from "../samplers/request.ts";
import type { Sampler } from "../samplers/sampler.ts";
import type { StrengthRule } from "./strength-rule.ts";

/** Samplers that spread their steps below the strength by themselves: over the grid they were distilled on, or by error. */
const selfSpreading: ReadonlySet<SamplerName> = new Set(["lcm", "tcd", "dpm-solver-12", "dpm-solver-23"]);

/**
 * A sampler for pictures that begin with a picture.
 *
 * Latent consistency models keep their steps by the scheduler itself, on the lower `strength` of the grid they were
 * distilled on. For the others `keep` plans so many steps over all of the noise that the strength's part has the wanted
 * number.
 * @throws UsageError when the strength is not in (0, 1], or leaves too little for the steps
 */
export function samplerForStrength(name: SamplerName, request: SamplerRequest, rule: StrengthRule): Sampler {
  const { steps, strength } = request;
  if (!(strength > 0 && strength <= 1)) {
    throw new UsageError(`The strength is ${strength}, but it must be above 0 and at most 1.`);
  }
  if (selfSpreading.has(name)) return rule === "keep" ? createSampler(name, request) : cutGrid(name, request);
  return createSampler(name, rule === "keep" ? { ...request, steps: plannedSteps(steps, strength) } : request);
}

/**
 * How many steps to plan over all of the noise, so that the strength's part has `steps` of them: the smallest n with
 * floor(n strength) = steps.
 * @throws UsageError when there are not as many timesteps to plan on
 */
export function plannedSteps(steps: number, strength: number): number {
  let planned = Math.max(steps, Math.floor(steps / strength) - 1);
  while (Math.floor(planned * strength) < steps) planned++;
  if (planned >= mostSteps) {
    throw new UsageError(
      `A strength of ${strength} leaves too little noise for ${steps} steps; use at least ${Math.ceil((steps / mostSteps) * 1000) / 1000} or fewer steps.`,
    );
  }
  return planned;
}

/** Training timesteps of every Stable Diffusion model. */
const mostSteps = 1000;

function cutGrid(name: SamplerName, request: SamplerRequest): Sampler {
  if (name !== "lcm") {
    throw new UsageError(`The steps of the ${name} sampler cannot be cut by a strength; it spreads them below it.`);
  }
  return lcmFromConfig(request, { timesteps: createSampler("lcm", { ...request, strength: 1 }).timesteps });
}
