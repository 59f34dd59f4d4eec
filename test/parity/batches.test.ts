import { describe, expect, it } from "vitest";
import { stableDiffusionSchedule } from "../../src/diffusion/schedule.ts";
import { filled, int64, type Tensor } from "../../src/tensor/tensor.ts";
import { denoiseBatch } from "../../src/training/denoise.ts";
import type { Batch } from "../../src/training/engine.ts";
import { distillationBatch, distillationDefaults, guidanceRows } from "../../src/training/lcd.ts";
import { fineTuningBatch } from "../../src/training/lcf.ts";
import { expectClose, trainingFixture } from "./training-fixture.ts";

const fixture = trainingFixture("coefficients");
const schedule = stableDiffusionSchedule();
const predictions = ["epsilon", "v_prediction"] as const;
const pictures = 400;
const latents = filled([1, pictures, 1, 1]);
const tokens: Tensor<"int64"> = int64([pictures, 1], Array<number>(pictures).fill(0));

const values = (batch: Batch, name: string): number[] => [...(batch[name]!.data as Float32Array)];

/** Column of a table `[rows, columns]` of the fixture, at the given rows. */
function column(table: string, columns: number, index: number, rows: readonly number[]): number[] {
  const numbers = fixture.numbers(table);
  return rows.map((row) => numbers[row * columns + index]!);
}

function expectColumns(
  batch: Batch,
  table: string,
  columns: number,
  names: readonly (string | undefined)[],
  rows: readonly number[],
): void {
  names.forEach((name, i) => {
    if (name !== undefined) expectClose(name, values(batch, name), column(table, columns, i, rows), 1e-6);
  });
}

describe("denoiseBatch", () => {
  it.each(predictions)("has the numbers of diffusers' scheduler: %s", (prediction) => {
    const batch = denoiseBatch({ schedule, prediction, minSnrGamma: 5, snrFloor: 0, seed: 1 }, latents, tokens, 2, 0);
    const timesteps = values(batch, "timesteps");
    expect(new Set(timesteps).size).toBeGreaterThan(250);
    expectColumns(batch, "forward", 2, ["clean", "noisy"], timesteps);
    expectColumns(batch, `weight.${prediction}`, 1, ["weight"], timesteps);
    if (prediction === "v_prediction") {
      expectColumns(batch, "velocity", 2, ["targetClean", "targetNoise"], timesteps);
    } else {
      expect(new Set(values(batch, "targetClean"))).toEqual(new Set([0]));
      expect(new Set(values(batch, "targetNoise"))).toEqual(new Set([1]));
    }
  });

  it("weighs all levels alike without gamma, and draws anew for each step and part", () => {
    const options = { schedule, prediction: "epsilon", minSnrGamma: 0, snrFloor: 0, seed: 1 } as const;
    const [one, again, next, other] = [
      [2, 0],
      [2, 0],
      [3, 0],
      [2, 1],
    ].map(([step, part]) => denoiseBatch(options, latents, tokens, step!, part!)) as [Batch, Batch, Batch, Batch];
    expect(new Set(values(one, "weight"))).toEqual(new Set([1]));
    for (const name of ["noise", "timesteps"]) {
      expect(values(again, name)).toEqual(values(one, name));
      expect(values(next, name)).not.toEqual(values(one, name));
      expect(values(other, name)).not.toEqual(values(one, name));
    }
  });
});

/** Start, end, then sample and output of student, target and solver. */
const skipColumns = [
  "start",
  "end",
  "studentSample",
  "studentOutput",
  "targetSample",
  "targetOutput",
  "solverSample",
  "solverOutput",
];

describe.each(predictions)("distillationBatch and fineTuningBatch: %s", (prediction) => {
  const options = { ...distillationDefaults, schedule, prediction, seed: 7 };
  const batch = distillationBatch(options, latents, tokens, tokens, 3, 1);
  const starts = values(batch, "start");
  const indices = starts.map((start) => (start + 1) / 20 - 1);

  it("has the published script's numbers for each step of the grid", () => {
    expect(new Set(indices).size).toBe(50);
    expectColumns(batch, `skips.${prediction}`, skipColumns.length, skipColumns, indices);
    expectColumns(batch, "forward", 2, ["startClean", "startNoise"], starts);
  });

  it("makes the target at timestep 0 the latents themselves", () => {
    const first = indices.indexOf(0);
    expect(values(batch, "end")[first]).toBe(0);
    expect(values(batch, "targetSample")[first]).toBe(1);
    expect(Math.abs(values(batch, "targetOutput")[first]!)).toBe(0);
  });

  it("draws guidance evenly from its range", () => {
    const omegas = values(batch, "omega").sort((a, b) => a - b);
    expect(omegas[0]).toBeGreaterThanOrEqual(5);
    expect(omegas[pictures - 1]).toBeLessThanOrEqual(15);
    // The largest distance of an even sample of 400 from its distribution is below 0.1 at any usual level of confidence.
    const distances = omegas.map((omega, i) => Math.abs((omega - 5) / 10 - i / pictures));
    expect(Math.max(...distances)).toBeLessThan(0.1);
  });

  it("puts the same noise at both ends of the skip in fine-tuning", () => {
    const tuning = fineTuningBatch(options, latents, tokens, 3, 1);
    expectColumns(tuning, "forward", 2, ["endClean", "endNoise"], values(batch, "end"));
    for (const name of ["start", "end", "noise", "startClean", "startNoise", "studentOutput", "targetSample"]) {
      expect(values(tuning, name), name).toEqual(values(batch, name));
    }
    for (const name of ["omega", "solverSample", "solverOutput", "emptyTokens"])
      expect(tuning).not.toHaveProperty(name);
  });
});

describe("the guidance embedding of a batch", () => {
  it("has diffusers' rows, without the rounding of its phases", () => {
    const omegas = [2971309, 14004655, 1075975].map((k) => 5 + (10 * k) / 2 ** 24);
    expectClose("rows", guidanceRows(omegas, 256).data, fixture.numbers("embedding"), 1e-6);
    const options = {
      ...distillationDefaults,
      schedule,
      prediction: "epsilon",
      seed: 5432,
      guidanceWidth: 256,
    } as const;
    const three = filled([1, 3, 1, 1]);
    const ids = int64([3, 1], [0, 0, 0]);
    const batch = distillationBatch(options, three, ids, ids, 0, 0);
    expect(batch["guidance"]!.shape).toEqual([3, 256]);
    expectClose("guidance", values(batch, "guidance"), fixture.numbers("embedding"), 1e-6);
  });
});
