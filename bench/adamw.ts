/**
 * Nanoseconds per parameter and core of the optimiser's passes over 16 million parameters.
 *
 * Run: node --import tsx bench/adamw.ts
 */
import { createAdamw, initAdamw } from "../src/optim/adamw.ts";
import { sumOfSquares } from "../src/optim/clip.ts";
import { createEma, initEma } from "../src/optim/ema.ts";

const length = 16_000_000;
const random = (): Float32Array => Float32Array.from({ length }, () => Math.random() - 0.5);
const parameters = random();
const gradients = random();
const state = initAdamw(length);
const average = initEma(parameters);
const adamw = createAdamw({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 });
const ema = createEma();
const range = { begin: 0, end: length };

const passes: Readonly<Record<string, (step: number) => unknown>> = {
  adamw: (step) => adamw({ step, rate: 1e-3, gradientFactor: 0.5, parameters, gradients, state, ...range }),
  ema: () => ema({ average, parameters, decay: 0.999, ...range }),
  norm: () => sumOfSquares(gradients, 0, length),
};
for (const [name, pass] of Object.entries(passes)) {
  const times: number[] = [];
  for (let step = 0; step < 10; step++) {
    const start = performance.now();
    pass(step);
    times.push(((performance.now() - start) / length) * 1e6);
  }
  times.sort((a, b) => a - b);
  process.stdout.write(
    `${name.padEnd(6)} best ${times[0]!.toFixed(2)} median ${times[5]!.toFixed(2)} ns per parameter\n`,
  );
}
