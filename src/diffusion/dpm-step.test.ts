import { describe, expect, it } from "vitest";
import {
  type DpmAlgorithm,
  type DpmStep,
  type DpmStepOptions,
  type LevelPoint,
  levelPoint,
  multistepStep,
  phi2,
  phi3,
  singlestepStep,
  taylorCoefficients,
} from "./dpm-step.ts";

const at = (lambda: number): LevelPoint => levelPoint(Math.exp(-lambda));

/** Integral by Simpson's rule. */
function integral(f: (x: number) => number, from: number, to: number): number {
  const pieces = 2000;
  const width = (to - from) / pieces;
  let sum = f(from) + f(to);
  for (let i = 1; i < pieces; i++) sum += (i % 2 === 1 ? 4 : 2) * f(from + i * width);
  return (sum * width) / 3;
}

/** The exact step for a prediction that is known at every lambda. */
function exactStep(
  algorithm: DpmAlgorithm,
  prediction: (lambda: number) => number,
  sample: number,
  from: LevelPoint,
  to: LevelPoint,
): number {
  const over = (kernel: (lambda: number) => number): number =>
    integral((lambda) => kernel(lambda) * prediction(lambda), from.lambda, to.lambda);
  switch (algorithm) {
    case "dpmsolver++":
      return (to.sigma / from.sigma) * sample + to.sigma * over(Math.exp);
    case "dpmsolver":
      return (to.alpha / from.alpha) * sample - to.alpha * over((lambda) => Math.exp(-lambda));
    case "sde-dpmsolver++": {
      const faded = Math.exp(-(to.lambda - from.lambda));
      return (
        (to.sigma / from.sigma) * faded * sample + 2 * to.alpha * over((lambda) => Math.exp(-2 * (to.lambda - lambda)))
      );
    }
    case "sde-dpmsolver":
      return (to.alpha / from.alpha) * sample - 2 * to.alpha * over((lambda) => Math.exp(-lambda));
  }
}

const applied = (step: DpmStep, sample: number, predictions: readonly number[]): number =>
  step.predictions.reduce((sum, share, i) => sum + share * predictions[i]!, step.sample * sample);

const algorithms: readonly DpmAlgorithm[] = ["dpmsolver++", "dpmsolver", "sde-dpmsolver++", "sde-dpmsolver"];
const cubic = [0.7, -0.4, 0.3, 0.2];
const polynomial =
  (degree: number) =>
  (lambda: number): number =>
    cubic.slice(0, degree + 1).reduce((sum, c, power) => sum + c * lambda ** power, 0);

/** What a step of so many predictions at these places, newest first, is off by. */
function error(
  method: (options: DpmStepOptions) => DpmStep,
  options: Omit<DpmStepOptions, "from" | "to">,
  degree: number,
  lambdas: readonly number[],
  to: number,
): number {
  const from = lambdas.map(at);
  const base = method === multistepStep ? from[0]! : from[from.length - 1]!;
  const prediction = polynomial(degree);
  const step = method({ ...options, from, to: at(to) });
  return applied(step, 1.3, lambdas.map(prediction)) - exactStep(options.algorithm, prediction, 1.3, base, at(to));
}

describe("multistepStep and singlestepStep", () => {
  const heun = { solverType: "heun", sdeCurvature: "integral" } as const;

  it("are exact for predictions of a degree below their order, in Taylor's form", () => {
    for (const algorithm of algorithms) {
      for (const order of [1, 2, 3]) {
        const within = [0.6, 0.4, 0.1].slice(3 - order);
        expect(Math.abs(error(singlestepStep, { algorithm, ...heun }, order - 1, within, 0.9))).toBeLessThan(1e-10);
        expect(Math.abs(error(singlestepStep, { algorithm, ...heun }, order, within, 0.9))).toBeGreaterThan(1e-3);
        const before = [0.1, -0.5, -0.8].slice(0, order);
        const degree = Math.min(order, 2) - 1;
        expect(Math.abs(error(multistepStep, { algorithm, ...heun }, degree, before, 0.9))).toBeLessThan(1e-10);
      }
    }
  });

  it("count half of a quadratic prediction's curvature in multistep third order, as its authors do", () => {
    for (const algorithm of algorithms) {
      const { curvature } = taylorCoefficients(algorithm, at(0.1), at(0.9));
      // Second derivative 2 x 0.3, step 0.8.
      const half = curvature * 0.3 * 0.8 ** 2;
      expect(error(multistepStep, { algorithm, ...heun }, 2, [0.1, -0.5, -0.8], 0.9)).toBeCloseTo(-half, 10);
    }
  });

  it("lose a power of h more with each order in the midpoint form", () => {
    const midpoint = { solverType: "midpoint", sdeCurvature: "integral" } as const;
    for (const algorithm of algorithms) {
      const off = (method: typeof multistepStep, shares: readonly number[], h: number): number =>
        error(
          method,
          { algorithm, ...midpoint },
          3,
          shares.map((share) => share * h),
          h,
        );
      const power = (method: typeof multistepStep, shares: readonly number[]): number =>
        Math.log2(off(method, shares, 0.02) / off(method, shares, 0.01));
      expect(power(multistepStep, [0])).toBeCloseTo(2, 0);
      expect(power(multistepStep, [0, -1])).toBeCloseTo(3, 0);
      expect(power(multistepStep, [0, -1, -2])).toBeCloseTo(3, 0);
      expect(power(singlestepStep, [0.5, 0])).toBeCloseTo(3, 0);
      // DPM-Solver-3: the share 2/3 cancels the next term.
      expect(power(singlestepStep, [2 / 3, 1 / 3, 0])).toBeCloseTo(4, 0);
    }
  });

  it("as diffusers has it, the third-order SDE step does not take a quadratic prediction exactly", () => {
    const options = { algorithm: "sde-dpmsolver++", solverType: "heun", sdeCurvature: "diffusers" } as const;
    expect(Math.abs(error(singlestepStep, options, 2, [0.6, 0.4, 0.1], 0.9))).toBeGreaterThan(0.1);
  });

  it("end at the prediction where no noise is left", () => {
    const end = levelPoint(0);
    const options = { solverType: "midpoint", sdeCurvature: "integral", to: end, from: [levelPoint(2)] } as const;
    for (const algorithm of ["dpmsolver++", "sde-dpmsolver++"] as const) {
      expect(multistepStep({ algorithm, ...options })).toEqual({ sample: 0, predictions: [1], noise: 0 });
    }
  });

  it("stay where a step has no length", () => {
    const options = { algorithm: "dpmsolver", solverType: "heun", sdeCurvature: "integral" } as const;
    const from = [at(1), at(0), at(-1)];
    for (const method of [multistepStep, singlestepStep]) {
      const to = method === multistepStep ? at(1) : at(-1);
      const { sample, predictions } = method({ ...options, to, from });
      expect(sample).toBeCloseTo(1, 12);
      for (const share of predictions) expect(share).toBeCloseTo(0, 12);
    }
  });
});

describe("phi2 and phi3", () => {
  it("join their series without a jump", () => {
    for (const x of [1.0001e-6, 0.9999e-6, -1.0001e-6]) expect(phi2(x) / x).toBeCloseTo(0.5, 4);
    for (const x of [1.0001e-4, 0.9999e-4, -1.0001e-4]) expect(phi3(x) / x).toBeCloseTo(1 / 6, 4);
  });
});
