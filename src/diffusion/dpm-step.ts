/** Shares of picture and noise at a noise level, alpha^2 + sigma^2 = 1, and lambda = ln(alpha / sigma). */
export interface LevelPoint {
  readonly alpha: number;
  readonly sigma: number;
  readonly lambda: number;
}

/** The point of a noise level sigma / alpha; at level 0 lambda is infinite. */
export function levelPoint(level: number): LevelPoint {
  const alpha = 1 / Math.sqrt(level ** 2 + 1);
  return { alpha, sigma: level * alpha, lambda: -Math.log(level) };
}

/**
 * DPM-Solver integrates the predicted noise (Lu et al. 2022a), DPM-Solver++ the predicted picture (Lu et al. 2022b); with
 * "sde-" they follow the diffusion SDE instead of the ODE and take fresh noise at each step.
 */
export type DpmAlgorithm = "dpmsolver" | "dpmsolver++" | "sde-dpmsolver" | "sde-dpmsolver++";

/** How a second-order step weighs its difference: by half the step, or by the integral of the Taylor term. */
export type DpmSolverType = "midpoint" | "heun";

/** Whether an algorithm integrates the predicted picture (else the predicted noise). */
export function integratesPicture(algorithm: DpmAlgorithm): boolean {
  return algorithm.endsWith("++");
}

/** Whether an algorithm takes fresh noise. */
export function takesNoise(algorithm: DpmAlgorithm): boolean {
  return algorithm.startsWith("sde-");
}

/** Coefficients of the sample, of the integrated prediction, its slope and curvature in h, and of fresh noise. */
export interface TaylorCoefficients {
  readonly sample: number;
  readonly value: number;
  readonly slope: number;
  readonly curvature: number;
  /** 0 for the ODE. */
  readonly noise: number;
}

/**
 * The exact integral of a Taylor polynomial of the prediction from one level to the next.
 *
 * With h = lambda_to - lambda_from: -a (e^x - 1), -a ((e^x - 1) / x - 1), -a ((e^x - 1 - x) / x^2 - 1/2), where (a, x) is
 * (alpha, -h) for DPM-Solver++, (alpha, -2h) for its SDE, (sigma, h) for DPM-Solver and (2 sigma, h) for its SDE
 * (Lu et al. 2022a, appendix B; 2022b, equations 9 and 18 to 20).
 */
export function taylorCoefficients(algorithm: DpmAlgorithm, from: LevelPoint, to: LevelPoint): TaylorCoefficients {
  const h = to.lambda - from.lambda;
  switch (algorithm) {
    case "dpmsolver++":
      return { sample: to.sigma / from.sigma, ...integrals(to.alpha, -h), noise: 0 };
    case "dpmsolver":
      return { sample: to.alpha / from.alpha, ...integrals(to.sigma, h), noise: 0 };
    case "sde-dpmsolver++":
      return {
        sample: (to.sigma / from.sigma) * Math.exp(-h),
        ...integrals(to.alpha, -2 * h),
        noise: to.sigma * Math.sqrt(Math.max(0, -Math.expm1(-2 * h))),
      };
    case "sde-dpmsolver":
      return {
        sample: to.alpha / from.alpha,
        ...integrals(2 * to.sigma, h),
        noise: to.sigma * Math.sqrt(Math.max(0, Math.expm1(2 * h))),
      };
  }
}

function integrals(a: number, x: number): Pick<TaylorCoefficients, "value" | "slope" | "curvature"> {
  return { value: -a * Math.expm1(x), slope: -a * phi2(x), curvature: -a * phi3(x) };
}

/** (e^x - 1) / x - 1, which is x / 2 near 0. */
export function phi2(x: number): number {
  return Math.abs(x) < 1e-6 ? x / 2 : Math.expm1(x) / x - 1;
}

/** (e^x - 1 - x) / x^2 - 1/2, which is x / 6 near 0. */
export function phi3(x: number): number {
  return Math.abs(x) < 1e-4 ? x / 6 + x ** 2 / 24 : phi2(x) / x - 0.5;
}

/** A step as a linear combination: of the sample it starts from, predictions (newest first) and fresh noise. */
export interface DpmStep {
  readonly sample: number;
  readonly predictions: readonly number[];
  readonly noise: number;
}

/** What a step of several predictions depends on. */
export interface DpmStepOptions {
  readonly algorithm: DpmAlgorithm;
  readonly solverType: DpmSolverType;
  /** Where the step ends. */
  readonly to: LevelPoint;
  /** Where the predictions were made, newest first; as many as the order, 1 to 3. */
  readonly from: readonly LevelPoint[];
  readonly sdeCurvature: SdeCurvature;
}

/**
 * The curvature's coefficient in third-order steps of DPM-Solver++'s SDE: the integral, as k-diffusion has it, or what
 * diffusers 0.42.1 has, where the 1/2 bears the opposite sign, which makes it smaller by alpha.
 */
export type SdeCurvature = "integral" | "diffusers";

function stepCoefficients({ algorithm, sdeCurvature, to }: DpmStepOptions, from: LevelPoint): TaylorCoefficients {
  const coefficients = taylorCoefficients(algorithm, from, to);
  if (algorithm !== "sde-dpmsolver++" || sdeCurvature === "integral") return coefficients;
  return { ...coefficients, curvature: coefficients.curvature - to.alpha };
}

/**
 * A multistep step: it starts at the newest prediction, and older ones give slope and curvature by differences.
 *
 * Third order takes no heed of the solver type. Its second difference is half the second derivative, as in the authors'
 * code and all that follow it, so that it is exact for linear predictions only.
 */
export function multistepStep(options: DpmStepOptions): DpmStep {
  const { solverType, to, from } = options;
  const [s0, s1, s2] = from;
  const { sample, value, slope, curvature, noise } = stepCoefficients(options, s0!);
  const h = to.lambda - s0!.lambda;
  if (s1 === undefined || h === 0) return { sample, predictions: [value], noise };
  const r0 = (s0!.lambda - s1.lambda) / h;
  if (s2 === undefined) {
    const difference = (solverType === "midpoint" ? value / 2 : slope) / r0;
    return { sample, predictions: [value + difference, -difference], noise };
  }
  const r1 = (s1.lambda - s2.lambda) / h;
  const bend = (slope * r0 + curvature) / (r0 + r1);
  const newer = (slope + bend) / r0;
  const older = bend / r1;
  return { sample, predictions: [value + newer, -newer - older, older], noise };
}

/** A single-step step: it starts at the oldest prediction, and newer ones, made on the way, give slope and curvature. */
export function singlestepStep(options: DpmStepOptions): DpmStep {
  const { solverType, to, from } = options;
  const base = from[from.length - 1]!;
  const { sample, value, slope, curvature, noise } = stepCoefficients(options, base);
  const h = to.lambda - base.lambda;
  if (from.length === 1 || h === 0) return { sample, predictions: [...from.slice(1).map(() => 0), value], noise };
  const share = (at: LevelPoint): number => (at.lambda - base.lambda) / h;
  const r0 = share(from[0]!);
  if (from.length === 2) {
    const difference = (solverType === "midpoint" ? value / 2 : slope) / r0;
    return { sample, predictions: [difference, value - difference], noise };
  }
  if (solverType === "midpoint") return { sample, predictions: [slope / r0, 0, value - slope / r0], noise };
  const r1 = share(from[1]!);
  const last = (2 * curvature - slope * r1) / (r0 - r1) / r0;
  const middle = (slope * r0 - 2 * curvature) / (r0 - r1) / r1;
  return { sample, predictions: [last, middle, value - last - middle], noise };
}
