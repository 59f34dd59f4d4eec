import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { SchedulerConfig } from "../../src/diffusion/scheduler-config.ts";
import { samplerOfConfig } from "../../src/samplers/names.ts";
import { createSampler } from "../../src/samplers/registry.ts";
import type { Sampler } from "../../src/samplers/sampler.ts";
import { linearCombination } from "../../src/tensor/arithmetic.ts";
import { Mt19937 } from "../../src/tensor/random/mt19937.ts";
import { elementCount, filled, float32, type Tensor } from "../../src/tensor/tensor.ts";

interface Case {
  readonly config: SchedulerConfig;
  readonly settings: { readonly steps: number; readonly strength?: number; readonly eta?: number };
  readonly timesteps: readonly number[];
  readonly initNoiseSigma: number;
  readonly sums: readonly number[];
  readonly last: readonly number[];
}

/** The diffusers class of each grid. */
const grids = {
  "dpm-multistep": "DPMSolverMultistepScheduler",
  "dpm-singlestep": "DPMSolverSinglestepScheduler",
  unipc: "UniPCMultistepScheduler",
  pndm: "PNDMScheduler",
  euler: "EulerDiscreteScheduler",
  "euler-ancestral": "EulerAncestralDiscreteScheduler",
  heun: "HeunDiscreteScheduler",
  tcd: "TCDScheduler",
  ddpm: "DDPMScheduler",
} as const;

/** diffusers computes its coefficients in float32. */
const tolerance = 1e-4;

/** Largest difference, relative to 1 or to the larger magnitude. */
function worst(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(found.length).toBe(expected.length);
  let largest = 0;
  for (let i = 0; i < found.length; i++) {
    const error = Math.abs(found[i]! - expected[i]!) / Math.max(1, Math.abs(expected[i]!));
    largest = Math.max(largest, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
  }
  return largest;
}

const checksum = ({ data }: Tensor<"float32">): number => data.reduce((sum, x, i) => sum + x * Math.cos(i + 1), 0);

function samplerOf(className: string, { config, settings }: Case): Sampler {
  const { steps, strength = 1, eta } = settings;
  const name = samplerOfConfig({ ...config, _class_name: className })!;
  const choices = eta === undefined ? {} : { eta };
  return createSampler(name, { config, steps, strength, choices });
}

async function compare(sampler: Sampler, one: Case, shape: readonly number[]): Promise<void> {
  const generator = new Mt19937(7);
  const noise = () => float32(shape, generator.randn(elementCount(shape)));
  const isPicture = (one.settings.strength ?? 1) < 1;
  const level = sampler.levelAt(0);
  const latents = isPicture
    ? linearCombination([
        [level.clean, filled(shape, 0.5)],
        [level.noise, noise()],
      ])
    : linearCombination([[sampler.initNoiseSigma, noise()]]);
  expect(worst(sampler.timesteps, one.timesteps)).toBeLessThan(1e-6);
  if (!isPicture) expect(worst([sampler.initNoiseSigma], [one.initNoiseSigma])).toBeLessThan(1e-6);
  const sums: number[] = [];
  let last = latents;
  for await (const step of sampler.sample({
    latents,
    predict: async (x, t) => ({ ...x, data: x.data.map((value) => Math.sin(1.7 * value + t / 300)) }),
    noise,
  })) {
    sums.push(checksum(step.latents));
    last = step.latents;
  }
  // A sum of n numbers may be off by n times what each may be off.
  expect(worst(sums, one.sums)).toBeLessThan(elementCount(shape) * tolerance);
  expect(worst(last.data, one.last)).toBeLessThan(tolerance);
}

for (const [name, className] of Object.entries(grids)) {
  const { shape, cases } = JSON.parse(readFileSync(`test/fixtures/samplers/grid-${name}.json`, "utf8")) as {
    readonly shape: readonly number[];
    readonly cases: readonly Case[];
  };
  describe(`${className} of diffusers`, () => {
    for (const one of cases) {
      it(`${JSON.stringify(one.settings)} with ${JSON.stringify(one.config)}`, async () => {
        await compare(samplerOf(className, one), one, shape);
      });
    }
  });
}
