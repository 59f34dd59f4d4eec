import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { add, mul, sub } from "../graph/ops/arithmetic.ts";
import { abs } from "../graph/ops/elementwise.ts";
import { gemm } from "../graph/ops/product.ts";
import { meanOfAll } from "../graph/ops/reduction.ts";
import { input } from "../graph/value.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import { counterNormal } from "../tensor/random/counter.ts";
import { float32 } from "../tensor/tensor.ts";
import type { Batch, OptimizerSettings, StepResult, TrainingEngine, TrainingState } from "../training/engine.ts";
import { layParametersOut } from "../training/engine.ts";
import { emaPrefix, encodeObjective } from "../training/objective.ts";
import { averagedSource, TrainableParameters } from "../training/parameters.ts";
import { sessionEngine } from "../training/session-engine.ts";
import { parallelEngine } from "./parallel-engine.ts";

const [rows, width, out] = [4, 7, 5];
const settings: OptimizerSettings = {
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-4,
  weightDecay: 0.01,
  maxGradientNorm: 0.5,
  emaDecay: 0.5,
};

/** A linear layer that fits targets and leans on its own average. */
function objective(): Parameters<typeof encodeObjective>[0] {
  const trainable = new TrainableParameters();
  const x = input("x", [rows, width]);
  const averaged = averagedSource(emaPrefix);
  const value = (source: typeof averaged): ReturnType<typeof gemm> =>
    gemm(x, source("weight", [out, width]), source("bias", [out]), { transposeB: true });
  const [own, old] = [value(trainable.source()), value(averaged)];
  const error = sub(own, input("y", [rows, out]));
  const drift = sub(own, old);
  return {
    loss: add(meanOfAll(mul(error, error)), meanOfAll(mul(drift, drift))),
    metrics: { size: meanOfAll(abs(own)) },
    parameters: trainable.list(),
  };
}

const parameters = objective().parameters;
const layout = layParametersOut(parameters.map(({ name, stored }) => ({ name, shape: stored })));
const model = encodeObjective(objective());
const initial = counterNormal(1, "initial", 0, layout.length);

function batchesOf(step: number, parts: number): Batch[] {
  return Array.from({ length: parts }, (_, part) => ({
    x: float32([rows, width], counterNormal(2, `x.${part}`, step, rows * width)),
    y: float32([rows, out], counterNormal(2, `y.${part}`, step, rows * out)),
  }));
}

/** Micro-batches per step: an even share, an odd one, and a step with a worker that has nothing to do. */
const parts = [2, 3, 1, 5];

async function run(engine: TrainingEngine, from: number, to: number): Promise<StepResult[]> {
  const results: StepResult[] = [];
  for (let step = from; step < to; step++) {
    results.push(await engine.step({ step, rate: 0.05, batches: batchesOf(step, parts[step]!) }));
  }
  return results;
}

const open = (workers: number): Promise<TrainingEngine> => parallelEngine(model, layout, initial, settings, workers);

function largestDifference(a: TrainingState, b: TrainingState): number {
  let largest = 0;
  for (const key of ["parameters", "firstMoment", "secondMoment", "ema"] as const) {
    a[key]!.forEach((x, i) => {
      largest = Math.max(largest, Math.abs(x - b[key]![i]!));
    });
  }
  return largest;
}

describe("parallelEngine", () => {
  let engine: TrainingEngine;

  beforeAll(async () => {
    engine = await open(2);
  }, 120_000);
  afterAll(() => engine.dispose());

  it("takes the steps of one session to float32's rounding, the same bits each time, and goes on from a saved state", async () => {
    const start = await engine.state();
    expect(start).toMatchObject({ step: 0, parameters: initial, ema: initial });
    const half = await run(engine, 0, 2);
    const middle = await engine.state();
    const results = [...half, ...(await run(engine, 2, 4))];
    const end = await engine.state();
    expect(middle.step).toBe(2);
    expect(end.step).toBe(4);

    const alone = await sessionEngine(onnxRuntime({ threads: 1 }), model, layout, initial, settings);
    const expected = await run(alone, 0, 4);
    results.forEach((result, step) => {
      expect(result.loss, `loss of step ${step}`).toBeCloseTo(expected[step]!.loss, 6);
      expect(result.gradientNorm, `norm of step ${step}`).toBeCloseTo(expected[step]!.gradientNorm, 6);
      expect(result.metrics["size"], `metric of step ${step}`).toBeCloseTo(expected[step]!.metrics["size"]!, 6);
    });
    expect(expected[0]!.gradientNorm).toBeGreaterThan(settings.maxGradientNorm);
    expect(largestDifference(end, await alone.state())).toBeLessThan(1e-6);
    expect(largestDifference(end, start)).toBeGreaterThan(0.05);
    await alone.dispose();

    await engine.restore(middle);
    expect(await engine.state()).toEqual(middle);
    expect(await run(engine, 2, 4)).toEqual(results.slice(2));
    expect(await engine.state()).toEqual(end);
    await engine.restore(start);
    expect(await run(engine, 0, 4)).toEqual(results);
    expect(await engine.state()).toEqual(end);
  });

  it("leaves the state as it was where a loss is not finite", async () => {
    const before = await engine.state();
    const batches = batchesOf(0, 2);
    const broken = { ...batches[1]!, y: float32([rows, out], new Float32Array(rows * out).fill(Number.NaN)) };
    const { loss } = await engine.step({ step: 4, rate: 0.05, batches: [batches[0]!, broken] });
    expect(loss).toBeNaN();
    expect(await engine.state()).toEqual(before);
  });

  it("refuses the state of another run", async () => {
    const state = await engine.state();
    await expect(engine.restore({ ...state, ema: undefined })).rejects.toThrow("resume with the configuration");
  });

  it("rejects with one sentence when a worker fails while the others wait for it, and ends all", async () => {
    const one = await open(2);
    const [good, other] = batchesOf(0, 2) as [Batch, Batch];
    const { y: _, ...lacking } = other;
    const request = { step: 0, rate: 0.05, batches: [good, lacking] };
    await expect(one.step(request)).rejects.toThrow(/^The graph's input "y" is missing; it takes [^\n]*\.$/);
    await expect(one.step({ ...request, batches: [good, other] })).rejects.toThrow('The graph\'s input "y" is missing');
    await one.dispose();
  });

  it("rejects when its workers cannot compile the graph", async () => {
    const damaged = { ...model, bytes: model.bytes.slice(0, model.bytes.length / 2) };
    await expect(parallelEngine(damaged, layout, initial, settings, 2)).rejects.toThrow(
      /^The graph could not be compiled for cpu: [^\n]+$/,
    );
  });
});
