import { describe, expect, test } from "vitest";
import { leastSquares, leastSquaresBatches } from "../../test/resume/least-squares.ts";
import { RuntimeFailure } from "../errors.ts";
import { constantRate, linearWarmUp } from "../optim/rates.ts";
import { defaultOptimizerSettings, type TrainingState } from "./engine.ts";
import type { LogEntry } from "./log.ts";
import { quietHooks, type TrainingRun, train } from "./loop.ts";

const width = 6;
const settings = { ...defaultOptimizerSettings, weightDecay: 0, maxGradientNorm: 100, emaDecay: 0.9 };

interface Recording {
  readonly run: TrainingRun;
  readonly entries: LogEntry[];
  readonly saved: TrainingState[];
  readonly sampled: number[];
  readonly asked: number[];
}

function recording(changes: Partial<TrainingRun> = {}, plan: Partial<TrainingRun["plan"]> = {}): Recording {
  const [entries, saved, sampled, asked]: [LogEntry[], TrainingState[], number[], number[]] = [[], [], [], []];
  let time = 0;
  const run: TrainingRun = {
    engine: leastSquares(width, settings),
    plan: {
      steps: 25,
      rate: 0.1,
      schedule: constantRate,
      picturesPerStep: 16,
      checkpointEvery: 10,
      sampleEvery: 0,
      measureEvery: 0,
      ...plan,
    },
    firstStep: 0,
    batchAt: async (step) => {
      asked.push(step);
      return leastSquaresBatches(3, step, 2, 8, width);
    },
    save: async (state) => void saved.push(state),
    log: (entry) => void entries.push(entry),
    hooks: { ...quietHooks, onSample: ({ step }) => void sampled.push(step) },
    clock: () => {
      time += 5;
      return time;
    },
    signal: new AbortController().signal,
    ...changes,
  };
  return { run, entries, saved, sampled, asked };
}

describe("train", () => {
  test("fits known weights and logs each step", async () => {
    const { run, entries, saved, asked } = recording({}, { steps: 300, schedule: linearWarmUp(10) });
    expect(await train(run)).toEqual({ step: 300, stopped: false });
    expect(asked).toEqual(Array.from({ length: 300 }, (_, step) => step));
    expect(entries.map(({ step }) => step)).toEqual(Array.from({ length: 300 }, (_, step) => step + 1));
    expect(entries[0]!.rate).toBeCloseTo(0.01, 12);
    expect(entries[9]!.rate).toBeCloseTo(0.1, 12);
    expect(entries[0]).toMatchObject({ pictures: 16, milliseconds: 5 });
    expect(entries[0]!.loss).toBeGreaterThan(1);
    expect(entries.at(-1)!.loss).toBeLessThan(1e-3);
    const { parameters, ema } = saved.at(-1)!;
    for (let i = 0; i < width; i++) expect(parameters[i]).toBeCloseTo(i / width, 1);
    expect(ema![width]).toBeCloseTo(2, 1);
  });

  test("saves, samples and measures when due, and at the last step", async () => {
    const measured: number[] = [];
    const { run, entries, saved, sampled } = recording({}, { sampleEvery: 7, measureEvery: 12 });
    const measure = async ({ step }: TrainingState): Promise<Record<string, number>> => {
      measured.push(step);
      return { twice: 2 * step };
    };
    await train({ ...run, hooks: { ...run.hooks, measure } });
    expect(saved.map(({ step }) => step)).toEqual([10, 20, 25]);
    expect(sampled).toEqual([7, 14, 21, 25]);
    expect(measured).toEqual([12, 24, 25]);
    expect(entries[11]!.metrics).toMatchObject({ twice: 24 });
    expect(entries[12]!.metrics).not.toHaveProperty("twice");
    expect(entries[12]!.metrics).toHaveProperty("bias");
  });

  test("prepares the next batch while a step runs", async () => {
    const order: string[] = [];
    const { run } = recording({}, { steps: 3 });
    const engine = { ...run.engine };
    const step = engine.step.bind(engine);
    engine.step = async (request) => {
      order.push(`begin ${request.step}`);
      const result = await step(request);
      order.push(`end ${request.step}`);
      return result;
    };
    const batchAt = (at: number): ReturnType<TrainingRun["batchAt"]> => {
      order.push(`prepare ${at}`);
      return run.batchAt(at);
    };
    await train({ ...run, engine, batchAt });
    expect(order).toEqual([
      "prepare 0",
      "prepare 1",
      "begin 0",
      "end 0",
      "prepare 2",
      "begin 1",
      "end 1",
      "begin 2",
      "end 2",
    ]);
  });

  test("going on from a saved state gives the same numbers as going through", async () => {
    const whole = recording();
    await train(whole.run);
    const state = whole.saved[0]!;
    const engine = leastSquares(width, settings);
    await engine.restore(state);
    const rest = recording({ engine, firstStep: state.step });
    expect(await train(rest.run)).toEqual({ step: 25, stopped: false });
    expect(rest.saved.at(-1)).toEqual(whole.saved.at(-1));
    const untimed = (entries: LogEntry[]): LogEntry[] => entries.map((entry) => ({ ...entry, milliseconds: 0 }));
    expect(untimed(rest.entries)).toEqual(untimed(whole.entries.slice(10)));
  });

  test("a signal ends the run after the step under way, which is saved", async () => {
    const controller = new AbortController();
    const { run, entries, saved } = recording({ signal: controller.signal });
    const onStep = ({ step }: LogEntry): void => {
      if (step === 13) controller.abort();
    };
    expect(await train({ ...run, hooks: { ...run.hooks, onStep } })).toEqual({ step: 13, stopped: true });
    expect(entries).toHaveLength(13);
    expect(saved.map(({ step }) => step)).toEqual([10, 13]);
  });

  test("a signal before the first step, or a run that is done, does and saves nothing", async () => {
    const controller = new AbortController();
    controller.abort();
    const before = recording({ signal: controller.signal });
    expect(await train(before.run)).toEqual({ step: 0, stopped: true });
    const done = recording({ firstStep: 25 });
    expect(await train(done.run)).toEqual({ step: 25, stopped: false });
    expect([before.saved, done.saved, done.asked]).toEqual([[], [], []]);
  });

  test("a loss that is not finite stops the run and names the step and the last checkpoint", async () => {
    const { run, entries, saved } = recording();
    const batchAt: TrainingRun["batchAt"] = async (step) => {
      const batches = leastSquaresBatches(3, step, 1, 8, width);
      if (step === 14) (Object.values(batches[0]!)[0]!.data as Float32Array)[0] = Number.NaN;
      return batches;
    };
    const failed = train({ ...run, batchAt });
    await expect(failed).rejects.toThrow(RuntimeFailure);
    await expect(failed).rejects.toThrow(/^step 15: the loss is NaN.*checkpoint is that of step 10/);
    expect(entries).toHaveLength(14);
    expect(saved.map(({ step }) => step)).toEqual([10]);
    expect((await run.engine.state()).step).toBe(14);
  });

  test("a gradient that is not finite is named, too", async () => {
    const { run } = recording();
    const engine = { ...run.engine, step: async () => ({ loss: 1, gradientNorm: Infinity, metrics: {} }) };
    await expect(train({ ...run, engine })).rejects.toThrow(/^step 1: the gradient's norm is Infinity.*no checkpoint/);
  });

  test("a batch that cannot be made fails the run where it is needed", async () => {
    const { run, entries } = recording();
    const batchAt: TrainingRun["batchAt"] = async (step) => {
      if (step === 2) throw new RangeError("no picture left");
      return run.batchAt(step);
    };
    await expect(train({ ...run, batchAt })).rejects.toThrow("no picture left");
    expect(entries).toHaveLength(2);
  });
});
