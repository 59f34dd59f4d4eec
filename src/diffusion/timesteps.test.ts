import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import {
  customTimesteps,
  customTimestepWarnings,
  keepByStrength,
  lcmTimesteps,
  roundHalfEven,
  solverTimesteps,
  spacedTimesteps,
} from "./timesteps.ts";

const lcm = (steps: number, strength = 1, originalSteps = 50): readonly number[] =>
  lcmTimesteps({ trainSteps: 1000, originalSteps, steps, strength });

describe("lcmTimesteps", () => {
  const known: readonly [steps: number, strength: number, timesteps: number[]][] = [
    [1, 1, [999]],
    [2, 1, [999, 499]],
    [3, 1, [999, 679, 339]],
    [4, 1, [999, 759, 499, 259]],
    [5, 1, [999, 799, 599, 399, 199]],
    [6, 1, [999, 839, 679, 499, 339, 179]],
    [8, 1, [999, 879, 759, 639, 499, 379, 259, 139]],
    [2, 0.5, [499, 259]],
    [4, 0.5, [499, 379, 259, 139]],
    [4, 0.6, [599, 459, 299, 159]],
    [4, 0.8, [799, 599, 399, 199]],
  ];
  for (const [steps, strength, timesteps] of known) {
    it(`${steps} steps at strength ${strength}: ${timesteps.join(" ")}`, () => {
      expect(lcm(steps, strength)).toEqual(timesteps);
    });
  }

  it("gives as many strictly descending grid timesteps as steps, wherever it gives any", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 100 }), (steps, percent) => {
        const strength = percent / 100;
        if (Math.floor(50 * strength) < steps) {
          expect(() => lcm(steps, strength)).toThrow(UsageError);
          return;
        }
        const found = lcm(steps, strength);
        expect(found).toHaveLength(steps);
        for (const [i, t] of found.entries()) {
          expect(t % 20).toBe(19);
          if (i > 0) expect(t).toBeLessThan(found[i - 1]!);
        }
      }),
    );
  });

  it("says with the numbers what does not fit", () => {
    expect(() => lcm(4, 0.05)).toThrow(
      "Strength 0.05 of 50 distillation timesteps leaves 2, too few for 4 steps; use at most 2 step(s) or a strength of at least 0.08.",
    );
    expect(() => lcm(51)).toThrow("51 steps are more than the 50 timesteps");
    expect(() => lcm(1001)).toThrow(UsageError);
    expect(() => lcm(0)).toThrow(UsageError);
    expect(() => lcm(2.5)).toThrow(UsageError);
    expect(() => lcm(4, 0)).toThrow("strength is 0");
    expect(() => lcm(4, 1.2)).toThrow("strength is 1.2");
    expect(() => lcm(4, 1, 1001)).toThrow(UsageError);
  });
});

describe("customTimesteps", () => {
  it("keeps their end by strength, at least one", () => {
    expect(customTimesteps([999, 700, 300, 10], 1000, 1)).toEqual([999, 700, 300, 10]);
    expect(customTimesteps([999, 700, 300, 10], 1000, 0.5)).toEqual([300, 10]);
    expect(customTimesteps([999, 700, 300, 10], 1000, 0.1)).toEqual([10]);
  });

  it("refuses lists that do not descend within the schedule", () => {
    for (const list of [[], [500, 500], [1, 2], [1000], [5, -1], [5.5]]) {
      expect(() => customTimesteps(list, 1000, 1)).toThrow(UsageError);
    }
  });
});

describe("customTimestepWarnings", () => {
  const options = { trainSteps: 1000, originalSteps: 50, strength: 1 };

  it("has none for timesteps of the grid from the top", () => {
    expect(customTimestepWarnings([999, 19], options)).toEqual([]);
  });

  it("names the start, strangers and length", () => {
    expect(customTimestepWarnings([998, 19, 5], options)).toEqual([
      "The first timestep is 998, not 999: sampling does not start from pure noise.",
      "The model was not distilled on the timesteps 998, 5.",
    ]);
    expect(customTimestepWarnings([999, 499, 19], { ...options, originalSteps: 2 })).toHaveLength(2);
  });
});

describe("spacedTimesteps", () => {
  it("leading, with the offset of Stable Diffusion", () => {
    expect(spacedTimesteps("leading", 1000, 4, 1)).toEqual([751, 501, 251, 1]);
    expect(spacedTimesteps("leading", 1000, 8, 1)).toEqual([876, 751, 626, 501, 376, 251, 126, 1]);
    expect(spacedTimesteps("leading", 1000, 50, 1).slice(0, 3)).toEqual([981, 961, 941]);
  });

  it("trailing", () => {
    expect(spacedTimesteps("trailing", 1000, 4, 1)).toEqual([999, 749, 499, 249]);
    expect(spacedTimesteps("trailing", 1000, 7, 0)).toEqual([999, 856, 713, 570, 428, 285, 142]);
  });

  it("linspace, fractions kept", () => {
    expect(spacedTimesteps("linspace", 1000, 5, 1)).toEqual([999, 749.25, 499.5, 249.75, 0]);
    expect(spacedTimesteps("linspace", 1000, 1, 1)).toEqual([0]);
  });

  it("descends within the schedule for any number of steps", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("leading", "trailing", "linspace" as const),
        fc.integer({ min: 1, max: 1000 }),
        (spacing, steps) => {
          const found = spacedTimesteps(spacing, 1000, steps, 0);
          expect(found).toHaveLength(steps);
          expect(found[0]).toBeLessThan(1000);
          expect(found[steps - 1]).toBeGreaterThanOrEqual(0);
          for (let i = 1; i < steps; i++) expect(found[i]).toBeLessThan(found[i - 1]!);
        },
      ),
    );
  });

  it("refuses more steps than the schedule has", () => {
    expect(() => spacedTimesteps("leading", 1000, 1001, 0)).toThrow(UsageError);
  });
});

describe("solverTimesteps", () => {
  it("leaves the clean end out, halves rounded to even", () => {
    expect(solverTimesteps("linspace", 1000, 4, 0)).toEqual([999, 749, 500, 250]);
    expect(solverTimesteps("leading", 1000, 4, 1)).toEqual([801, 601, 401, 201]);
    expect(solverTimesteps("trailing", 1000, 4, 1)).toEqual([999, 749, 499, 249]);
    expect(solverTimesteps("linspace", 1000, 1, 0)).toEqual([999]);
    expect(() => solverTimesteps("linspace", 1000, 1000, 0)).toThrow(
      "The number of steps is 1000, but it must be a whole number from 1 to 999.",
    );
  });
});

describe("keepByStrength", () => {
  it("keeps the end, and never nothing", () => {
    expect(keepByStrength([4, 3, 2, 1], 0.5)).toEqual([2, 1]);
    expect(keepByStrength([4, 3, 2, 1], 0.2)).toEqual([1]);
    expect(keepByStrength([4, 3, 2, 1], 1)).toEqual([4, 3, 2, 1]);
    expect(() => keepByStrength([1], Number.NaN)).toThrow(UsageError);
  });
});

describe("roundHalfEven", () => {
  it("rounds halves to even", () => {
    expect([0.5, 1.5, 2.5, 499.5, 2.4, 2.6].map(roundHalfEven)).toEqual([0, 2, 2, 500, 2, 3]);
  });
});
