import { describe, expect, it } from "vitest";
import { type LevelPoint, levelPoint, multistepStep, taylorCoefficients } from "./dpm-step.ts";
import { type UniPcStep, unicCorrect, unipPredict } from "./unipc-step.ts";

const at = (lambda: number): LevelPoint => levelPoint(Math.exp(-lambda));
const places = [0.1, -0.5, -0.8] as const;
const end = 0.9;

/** The exact step for a prediction c0 + c1 lambda + c2 lambda^2. */
function exact(of: "picture" | "noise", [c0 = 0, c1 = 0, c2 = 0]: readonly number[]): number {
  const [newest] = places;
  const h = end - newest;
  const algorithm = of === "picture" ? "dpmsolver++" : "dpmsolver";
  const { sample, value, slope, curvature } = taylorCoefficients(algorithm, at(newest), at(end));
  const derivative = c1 + 2 * c2 * newest;
  return (
    sample * 1.3 + value * (c0 + c1 * newest + c2 * newest ** 2) + slope * h * derivative + curvature * h ** 2 * 2 * c2
  );
}

function applied(step: UniPcStep, coefficients: readonly number[]): number {
  const prediction = (lambda: number): number => coefficients.reduce((sum, c, power) => sum + c * lambda ** power, 0);
  const start = step.sample * 1.3 + step.corrected * prediction(end);
  return step.predictions.reduce((sum, share, i) => sum + share * prediction(places[i]!), start);
}

const constant = [0.7];
const quadratic = [0.7, -0.4, 0.3];

describe("unipPredict and unicCorrect", () => {
  const settings = (["bh1", "bh2"] as const).flatMap((kind) =>
    (["picture", "noise"] as const).map((of) => ({ kind, of, to: at(end) })),
  );

  it("are exact for predictions of a degree below their order, a corrected step up to its order", () => {
    for (const options of settings) {
      const { of } = options;
      const from = (order: number) => places.slice(0, order).map(at);
      expect(applied(unipPredict({ ...options, from: from(1) }), constant)).toBeCloseTo(exact(of, constant), 12);
      expect(applied(unipPredict({ ...options, from: from(3) }), quadratic)).toBeCloseTo(exact(of, quadratic), 12);
      expect(applied(unicCorrect({ ...options, from: from(2) }), quadratic)).toBeCloseTo(exact(of, quadratic), 12);
      expect(applied(unicCorrect({ ...options, from: from(3) }), quadratic)).toBeCloseTo(exact(of, quadratic), 12);
    }
  });

  it("weigh a single difference with 1/2, as the method's second order does", () => {
    const step = unipPredict({ kind: "bh2", of: "picture", to: at(end), from: places.slice(0, 2).map(at) });
    const midpoint = multistepStep({
      algorithm: "dpmsolver++",
      solverType: "midpoint",
      sdeCurvature: "integral",
      to: at(end),
      from: places.slice(0, 2).map(at),
    });
    for (const [i, share] of step.predictions.entries()) expect(share).toBeCloseTo(midpoint.predictions[i]!, 12);
    expect(step.corrected).toBe(0);
  });

  it("end at the prediction where no noise is left, whatever B(h) and the order are", () => {
    for (const kind of ["bh1", "bh2"] as const) {
      const { sample, predictions } = unipPredict({ kind, of: "picture", to: levelPoint(0), from: places.map(at) });
      expect([sample, ...predictions]).toEqual([0, 1, 0, 0]);
    }
  });
});
