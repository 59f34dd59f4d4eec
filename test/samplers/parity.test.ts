import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { SchedulerConfig } from "../../src/diffusion/scheduler-config.ts";
import { ddimFromConfig } from "../../src/samplers/ddim.ts";
import { eulerFromConfig } from "../../src/samplers/euler.ts";
import { lcmFromConfig } from "../../src/samplers/lcm.ts";
import type { Sampler } from "../../src/samplers/sampler.ts";
import { linearCombination } from "../../src/tensor/arithmetic.ts";
import { Mt19937 } from "../../src/tensor/random/mt19937.ts";
import { elementCount, filled, float32 } from "../../src/tensor/tensor.ts";

interface Settings {
  readonly steps?: number;
  readonly strength?: number;
  readonly eta?: number;
  readonly timesteps?: readonly number[];
}

interface Case {
  readonly config: SchedulerConfig;
  readonly settings: Settings;
  readonly timesteps: readonly number[];
  readonly initNoiseSigma: number;
  readonly start: readonly number[];
  readonly steps: readonly { readonly latents: readonly number[]; readonly denoised: readonly number[] }[];
}

const makers: Readonly<Record<string, (config: SchedulerConfig, settings: Settings) => Sampler>> = {
  lcm: (config, { steps = 4, strength = 1, timesteps }) =>
    lcmFromConfig({ config, steps, strength }, { timesteps: timesteps ?? "spaced" }),
  ddim: (config, { steps = 4, strength = 1, eta = 0 }) => ddimFromConfig({ config, steps, strength }, { eta }),
  euler: (config, { steps = 4, strength = 1 }) => eulerFromConfig({ config, steps, strength }),
};

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

for (const [name, make] of Object.entries(makers)) {
  const { shape, cases } = JSON.parse(readFileSync(`test/fixtures/samplers/${name}.json`, "utf8")) as {
    readonly shape: readonly number[];
    readonly cases: readonly Case[];
  };
  describe(`${name} against diffusers`, () => {
    for (const { config, settings, timesteps, initNoiseSigma, start, steps } of cases) {
      it(`${JSON.stringify(settings)} with ${JSON.stringify(config)}`, async () => {
        const sampler = make(config, settings);
        const generator = new Mt19937(7);
        const noise = () => float32(shape, generator.randn(elementCount(shape)));
        const isPicture = (settings.strength ?? 1) < 1;
        const level = sampler.levelAt(0);
        const latents = isPicture
          ? linearCombination([
              [level.clean, filled(shape, 0.5)],
              [level.noise, noise()],
            ])
          : linearCombination([[sampler.initNoiseSigma, noise()]]);

        expect(worst(sampler.timesteps, timesteps)).toBeLessThan(1e-6);
        if (!isPicture) expect(sampler.initNoiseSigma).toBeCloseTo(initNoiseSigma, 3);
        expect(worst(latents.data, start)).toBeLessThan(1e-5);

        let count = 0;
        for await (const step of sampler.sample({
          latents,
          predict: async (x, t) => ({ ...x, data: x.data.map((value) => Math.sin(1.7 * value + t / 300)) }),
          noise,
        })) {
          const expected = steps[count]!;
          expect(step.index).toBe(count);
          expect(step.timestep).toBe(sampler.timesteps[count]);
          expect(worst(step.denoised.data, expected.denoised)).toBeLessThan(1e-4);
          expect(worst(step.latents.data, expected.latents)).toBeLessThan(1e-4);
          count++;
        }
        expect(count).toBe(steps.length);
      });
    }
  });
}
