import { describe, expect, it } from "vitest";
import { stableDiffusionSchedule } from "../diffusion/schedule.ts";
import { pndm, pndmCalls, pndmDefaults } from "./pndm.ts";

const schedule = stableDiffusionSchedule();

describe("pndmCalls", () => {
  it("takes the first step twice, then mixes up to four outputs", () => {
    const calls = pndmCalls([901, 701, 501, 301, 101], 200, "plms");
    expect(calls.map(({ timestep }) => timestep)).toEqual([901, 701, 701, 501, 301, 101]);
    expect(calls[1]).toEqual({
      timestep: 701,
      base: 0,
      from: 901,
      to: 701,
      mix: [
        [0.5, 1],
        [0.5, 0],
      ],
    });
    expect(calls[2]!.mix).toEqual([
      [1.5, 2],
      [-0.5, 0],
    ]);
    expect(calls[5]!.mix.map(([, call]) => call)).toEqual([5, 4, 3, 2]);
    expect(calls[5]!.to).toBe(-99);
  });

  it("begins with three Runge-Kutta steps of four calls where there is room", () => {
    const timesteps = Array.from({ length: 10 }, (_, i) => 900 - 100 * i);
    const calls = pndmCalls(timesteps, 100, "runge-kutta");
    expect(calls.map(({ timestep }) => timestep)).toEqual([
      900, 850, 850, 800, 800, 750, 750, 700, 700, 650, 650, 600, 600, 500, 400, 300, 200, 100, 0,
    ]);
    expect(calls[12]!.mix.map(([, call]) => call)).toEqual([12, 8, 4, 0]);
    expect(pndmCalls([900, 600, 300], 300, "runge-kutta")).toEqual(pndmCalls([900, 600, 300], 300, "plms"));
  });

  it("weighs outputs with shares that sum to one", () => {
    for (const start of ["plms", "runge-kutta"] as const) {
      for (const { mix } of pndmCalls([900, 800, 700, 600, 500, 400], 100, start)) {
        expect(mix.reduce((sum, [share]) => sum + share, 0)).toBeCloseTo(1, 12);
      }
    }
  });
});

describe("pndm", () => {
  it("starts anew from what a strength keeps", () => {
    expect(pndm(schedule, "epsilon", { ...pndmDefaults, steps: 8, strength: 0.5 }).timesteps).toEqual([
      376, 251, 251, 126, 1,
    ]);
  });
});
