/**
 * A training run in a process of its own, to be killed: node --import tsx test/resume/train-child.ts FOLDER WIDTH STEPS
 * Prints a line per step; goes on where the folder's newest checkpoint is.
 */
import { openRunFolder } from "../../src/node/run-folder.ts";
import { linearWarmUp } from "../../src/optim/rates.ts";
import { quietHooks, train } from "../../src/training/loop.ts";
import { leastSquares, leastSquaresBatches } from "./least-squares.ts";

const [path, width, steps] = [process.argv[2]!, Number(process.argv[3]), Number(process.argv[4])];
const engine = leastSquares(width, {
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  weightDecay: 0.01,
  maxGradientNorm: 5,
  emaDecay: 0.97,
});
await using folder = await openRunFolder(path, { config: { width, steps }, resume: true, freeKeys: [] });
const { state } = await folder.resume(engine.layout);
if (state !== undefined) await engine.restore(state);
process.stdout.write(`from ${state?.step ?? 0}\n`);
const controller = new AbortController();
process.on("SIGTERM", () => controller.abort());
await train({
  engine,
  plan: {
    steps,
    rate: 0.02,
    schedule: linearWarmUp(20),
    picturesPerStep: 4,
    checkpointEvery: 3,
    sampleEvery: 0,
    measureEvery: 0,
  },
  firstStep: state?.step ?? 0,
  batchAt: async (step) => leastSquaresBatches(5, step, 2, 2, width),
  save: (saved) => folder.save(saved, engine.layout),
  log: (entry) => folder.log(entry),
  hooks: { ...quietHooks, onStep: ({ step }) => void process.stdout.write(`step ${step}\n`) },
  // The only thing that two runs cannot share.
  clock: () => 0,
  signal: controller.signal,
});
