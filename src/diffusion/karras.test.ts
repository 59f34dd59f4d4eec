import { describe, expect, it } from "vitest";
import { karrasLevels, timestepOfNoiseLevel } from "./karras.ts";
import { noiseLevelAt, stableDiffusionSchedule } from "./schedule.ts";

describe("karrasLevels", () => {
  it("has both ends and even seventh roots", () => {
    const levels = karrasLevels(14.6, 0.03, 5);
    expect(levels[0]).toBeCloseTo(14.6, 10);
    expect(levels[4]).toBeCloseTo(0.03, 10);
    const roots = levels.map((level) => level ** (1 / 7));
    for (let i = 2; i < 5; i++) expect(roots[i]! - roots[i - 1]!).toBeCloseTo(roots[1]! - roots[0]!, 10);
    expect(karrasLevels(3, 3, 1)[0]).toBeCloseTo(3, 12);
  });
});

describe("timestepOfNoiseLevel", () => {
  const schedule = stableDiffusionSchedule();

  it("finds each timestep of its own level", () => {
    for (const t of [0, 1, 19, 500, 998, 999]) {
      expect(timestepOfNoiseLevel(schedule, noiseLevelAt(schedule, t))).toBeCloseTo(t, 3);
    }
  });

  it("lies halfway in the logarithm, and stays within the schedule", () => {
    const middle = Math.sqrt(noiseLevelAt(schedule, 300) * noiseLevelAt(schedule, 301));
    expect(timestepOfNoiseLevel(schedule, middle)).toBeCloseTo(300.5, 4);
    expect(timestepOfNoiseLevel(schedule, 0)).toBe(0);
    expect(timestepOfNoiseLevel(schedule, 100)).toBe(999);
  });
});
