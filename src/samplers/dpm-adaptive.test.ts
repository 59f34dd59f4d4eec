import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { lastStep } from "../../test/samplers/golden.ts";
import { noiseLevelAt, stableDiffusionSchedule } from "../diffusion/schedule.ts";
import { RuntimeFailure } from "../errors.ts";
import { Mt19937 } from "../tensor/random/mt19937.ts";
import { elementCount, float32, type Tensor } from "../tensor/tensor.ts";
import { type DpmAdaptiveOptions, dpmAdaptive, dpmAdaptiveDefaults, dpmAdaptiveFromConfig } from "./dpm-adaptive.ts";

type Floats = Tensor<"float32">;

interface Case {
  readonly order: 2 | 3;
  readonly algorithm: "dpmsolver" | "dpmsolver++";
  readonly relativeTolerance: number;
  readonly absoluteTolerance: number;
  readonly calls: number;
  readonly lambdas: readonly number[];
  readonly last: readonly number[];
}
const { shape, cases } = JSON.parse(readFileSync("test/fixtures/samplers/adaptive.json", "utf8")) as {
  readonly shape: readonly number[];
  readonly cases: readonly Case[];
};

const schedule = stableDiffusionSchedule();
const noNoise = () => {
  throw new Error("A deterministic sampler asked for noise.");
};
const start = float32(shape, new Mt19937(7).randn(elementCount(shape)));

describe("dpmAdaptive against the paper's algorithm in float64", () => {
  for (const { order, algorithm, relativeTolerance, absoluteTolerance, calls, lambdas, last } of cases) {
    it(`DPM-Solver-${order - 1}${order}, ${algorithm}, tolerance ${relativeTolerance}: ${calls} calls`, async () => {
      const options = { ...dpmAdaptiveDefaults, order, algorithm, relativeTolerance, absoluteTolerance };
      const reached: number[] = [];
      let asked = 0;
      const { latents } = await lastStep(dpmAdaptive(schedule, "epsilon", options), {
        latents: start,
        predict: async (x, t) => {
          asked++;
          return { ...x, data: x.data.map((value) => Math.sin(1.7 * value + t / 300)) };
        },
        noise: noNoise,
        amend: (x, _, { clean, noise }) => {
          reached.push(Math.log(clean / noise));
          return x;
        },
      });
      expect(asked).toBe(calls);
      expect(reached).toHaveLength(lambdas.length);
      for (const [i, lambda] of reached.entries()) expect(lambda).toBeCloseTo(lambdas[i]!, 3);
      for (const [i, x] of latents.data.entries()) {
        expect(Math.abs(x - last[i]!) / Math.max(1, Math.abs(last[i]!))).toBeLessThan(1e-4);
      }
    });
  }
});

describe("dpmAdaptive", () => {
  /** Pictures that are normally distributed with this deviation: the best prediction and the ODE's end are known. */
  const deviation = 0.5;
  const spreadAt = (level: number): number => Math.hypot(deviation, level) / Math.hypot(1, level);
  const levelOf = (timestep: number): number => {
    const below = Math.min(Math.floor(timestep), 998);
    const [low, high] = [noiseLevelAt(schedule, below), noiseLevelAt(schedule, below + 1)];
    return low * (high / low) ** (timestep - below);
  };
  const predict = async (x: Floats, t: number): Promise<Floats> => {
    const level = levelOf(t);
    const share = level / Math.hypot(1, level) / spreadAt(level) ** 2;
    return { ...x, data: x.data.map((value) => share * value) };
  };
  const run = async (changes: Partial<DpmAdaptiveOptions>) => {
    let calls = 0;
    const { latents } = await lastStep(dpmAdaptive(schedule, "epsilon", { ...dpmAdaptiveDefaults, ...changes }), {
      latents: start,
      predict: (x, t) => {
        calls++;
        return predict(x, t);
      },
      noise: noNoise,
    });
    const factor = spreadAt(noiseLevelAt(schedule, 0)) / spreadAt(noiseLevelAt(schedule, 999));
    const error = Math.max(...latents.data.map((x, i) => Math.abs(x - factor * start.data[i]!)));
    return { calls, error };
  };

  it("comes as near to the true end as it is told, for more calls", async () => {
    for (const algorithm of ["dpmsolver", "dpmsolver++"] as const) {
      for (const order of [2, 3] as const) {
        const loose = await run({ algorithm, order });
        const tight = await run({ algorithm, order, relativeTolerance: 1e-3, absoluteTolerance: 1e-4 });
        expect(loose.error).toBeLessThan(0.15);
        expect(tight.error).toBeLessThan(3e-3);
        expect(tight.error).toBeLessThan(loose.error / 4);
        expect(tight.calls).toBeGreaterThan(loose.calls);
      }
    }
  });

  it("needs fewer calls with the higher order where little error is allowed", async () => {
    const tolerances = { relativeTolerance: 1e-4, absoluteTolerance: 1e-5 };
    const [second, third] = [await run({ order: 2, ...tolerances }), await run({ order: 3, ...tolerances })];
    expect(third.calls).toBeLessThan(second.calls);
  });

  it("knows its start and its end before, with a strength a later start", () => {
    const sampler = dpmAdaptiveFromConfig(3)({ config: {}, steps: 4, strength: 0.5 });
    expect(sampler.adaptive).toBe(true);
    expect(sampler.timesteps).toEqual([499]);
    const { clean, noise } = sampler.levelAt(0);
    expect(clean ** 2 + noise ** 2).toBeCloseTo(1, 12);
    expect(sampler.levelAt(1).noise).toBeLessThan(noise);
  });

  it("gives up after so many calls, and on a network that grows without bounds", async () => {
    await expect(run({ mostCalls: 5 })).rejects.toThrow(RuntimeFailure);
    const sampler = dpmAdaptive(schedule, "epsilon", dpmAdaptiveDefaults);
    const wild = async (x: Floats) => ({ ...x, data: x.data.map(() => Number.NaN) });
    await expect(lastStep(sampler, { latents: start, predict: wild, noise: noNoise })).rejects.toThrow(RuntimeFailure);
  });
});
