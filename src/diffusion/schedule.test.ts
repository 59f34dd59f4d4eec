import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import {
  alphaAt,
  alphaBarAt,
  lambdaAt,
  noiseLevelAt,
  noiseSchedule,
  rescaleToZeroTerminalSnr,
  scaledLinearBetas,
  sigmaAt,
  stableDiffusionSchedule,
} from "./schedule.ts";
import { scheduleFromConfig } from "./scheduler-config.ts";

interface Case {
  readonly config: { readonly beta_schedule: string; readonly rescale_betas_zero_snr: boolean };
  readonly timesteps: readonly number[];
  readonly betas: readonly number[];
  readonly alphaBars: readonly number[];
  readonly sumOfBetas: number;
  readonly sumOfAlphaBars: number;
}
const fixture = JSON.parse(readFileSync("test/fixtures/samplers/schedules.json", "utf8")) as {
  readonly cases: readonly Case[];
};

const schedule = stableDiffusionSchedule();

describe("stableDiffusionSchedule", () => {
  it("has the published alpha bars", () => {
    const known = [0.99915, 0.982243991, 0.658975527, 0.27766965, 0.052212928, 0.004660099];
    for (const [i, t] of [0, 19, 259, 499, 759, 999].entries())
      expect(alphaBarAt(schedule, t)).toBeCloseTo(known[i]!, 6);
  });

  it("has diffusers' float32 numbers to the last bit, up to their sum", () => {
    const known = fixture.cases.find(
      ({ config }) => config.beta_schedule === "scaled_linear" && !config.rescale_betas_zero_snr,
    )!;
    expect(known.timesteps.map((t) => schedule.betas[t])).toEqual(known.betas);
    expect(known.timesteps.map((t) => schedule.alphaBars[t])).toEqual(known.alphaBars);
    expect(schedule.betas.reduce((s, x) => s + x, 0)).toBeCloseTo(known.sumOfBetas, 12);
    expect(schedule.alphaBars.reduce((s, x) => s + x, 0)).toBeCloseTo(known.sumOfAlphaBars, 10);
  });

  it("has the noise levels of k-diffusion at both ends", () => {
    expect(noiseLevelAt(schedule, 999)).toBeCloseTo(14.61464, 4);
    expect(noiseLevelAt(schedule, 0)).toBeCloseTo(0.02916716, 6);
  });

  it("keeps alpha^2 + sigma^2 = 1, with alpha falling, lambda falling and the level rising", () => {
    for (let t = 0; t < 1000; t++) {
      expect(alphaAt(schedule, t) ** 2 + sigmaAt(schedule, t) ** 2).toBeCloseTo(1, 12);
      expect(Math.exp(-lambdaAt(schedule, t))).toBeCloseTo(noiseLevelAt(schedule, t), 8);
      if (t > 0) {
        expect(alphaAt(schedule, t)).toBeLessThan(alphaAt(schedule, t - 1));
        expect(lambdaAt(schedule, t)).toBeLessThan(lambdaAt(schedule, t - 1));
      }
    }
  });

  it("interpolates the noise level between timesteps", () => {
    const [low, high] = [noiseLevelAt(schedule, 400), noiseLevelAt(schedule, 401)];
    expect(noiseLevelAt(schedule, 400.25)).toBeCloseTo(0.75 * low + 0.25 * high, 12);
  });

  it("refuses timesteps outside", () => {
    for (const t of [-1, 1000, 0.5]) expect(() => alphaBarAt(schedule, t)).toThrow(UsageError);
  });
});

describe("rescaleToZeroTerminalSnr", () => {
  it("ends in pure noise and leaves the first timestep", () => {
    const rescaled = noiseSchedule(rescaleToZeroTerminalSnr(scaledLinearBetas(0.00085, 0.012, 1000)));
    expect(alphaBarAt(rescaled, 999)).toBe(0);
    expect(alphaBarAt(rescaled, 0)).toBeCloseTo(alphaBarAt(schedule, 0), 6);
    expect(noiseLevelAt(rescaled, 999)).toBeCloseTo(4096, 3);
  });
});

describe("scheduleFromConfig", () => {
  for (const { config, timesteps, betas, alphaBars, sumOfBetas, sumOfAlphaBars } of fixture.cases) {
    it(`agrees with diffusers on ${JSON.stringify(config)}`, () => {
      const found = scheduleFromConfig(config, { schedule: "linear", start: 0, end: 1 });
      for (const [i, t] of timesteps.entries()) {
        expect(found.betas[t]).toBeCloseTo(betas[i]!, 6);
        expect(found.alphaBars[t]).toBeCloseTo(alphaBars[i]!, 6);
      }
      expect(found.betas.reduce((s, x) => s + x, 0)).toBeCloseTo(sumOfBetas, 5);
      expect(found.alphaBars.reduce((s, x) => s + x, 0)).toBeCloseTo(sumOfAlphaBars, 3);
    });
  }
});
