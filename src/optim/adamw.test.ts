import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decodeSafetensors } from "../formats/safetensors.ts";
import { parseSafetensorsHeader } from "../formats/safetensors-header.ts";
import { createAdamw, initAdamw } from "./adamw.ts";
import { clipFactor, sumOfSquares } from "./clip.ts";
import { createEma, initEma, warmedUpDecay } from "./ema.ts";
import { cosineDecay } from "./rates.ts";

const bytes = new Uint8Array(readFileSync("test/fixtures/optim/steps.safetensors"));
const tensors = decodeSafetensors(bytes, "steps.safetensors");
const { metadata } = parseSafetensorsHeader(bytes, bytes.length, "steps.safetensors");
const cases = JSON.parse(metadata.get("cases")!) as Record<
  string,
  { lr: number; betas: [number, number]; eps: number; weight_decay: number }
>;

function floats(name: string): Float32Array {
  return tensors.get(name)!.data as Float32Array;
}

function largestError(actual: Float32Array, expected: Float32Array): number {
  expect(actual.length).toBe(expected.length);
  let error = 0;
  for (let i = 0; i < actual.length; i++) error = Math.max(error, Math.abs(actual[i]! - expected[i]!));
  return error;
}

describe.each(Object.keys(cases))("AdamW with clipping and an averaged copy: %s", (name) => {
  const { lr, betas, eps, weight_decay } = cases[name]!;
  const length = 203;
  const steps = 12;

  function train(ranges: readonly (readonly [number, number])[]): {
    parameters: Float32Array;
    first: Float32Array;
    second: Float32Array;
  } {
    const parameters = floats(`${name}.start`).slice();
    const state = initAdamw(length);
    const average = initEma(parameters);
    const settings = { beta1: betas[0], beta2: betas[1], epsilon: eps, weightDecay: weight_decay };
    const adamw = ranges.map(() => createAdamw(settings));
    const ema = createEma();
    const rate = cosineDecay(0, steps);
    const expectedRates = tensors.get(`${name}.rates`)!.data as Float64Array;
    for (let step = 0; step < steps; step++) {
      const gradients = floats(`${name}.gradients`).subarray(step * length, (step + 1) * length);
      const norm = Math.sqrt(ranges.reduce((sum, [begin, end]) => sum + sumOfSquares(gradients, begin, end), 0));
      expect(norm / floats(`${name}.norms`)[step]! - 1).toBeCloseTo(0, 6);
      expect(rate(step) * lr).toBeCloseTo(expectedRates[step]!, 12);
      const gradientFactor = clipFactor(norm, 1);
      for (const [index, [begin, end]] of ranges.entries()) {
        adamw[index]!({ step, rate: rate(step) * lr, gradientFactor, parameters, gradients, state, begin, end });
      }
      const after = floats(`${name}.values`).subarray(step * length, (step + 1) * length);
      expect(largestError(parameters, after)).toBeLessThan(1e-6);
      // The reference warms its decay up: nothing is kept at the first step, (1 + s) / (10 + s) at step s after it.
      const decay = step === 0 ? 0 : warmedUpDecay(0.95, step);
      ema({ average, parameters, decay, begin: 0, end: length });
      const averages = floats(`${name}.averages`).subarray(step * length, (step + 1) * length);
      expect(largestError(average, averages)).toBeLessThan(1e-6);
    }
    return { parameters, first: state.firstMoment, second: state.secondMoment };
  }

  test("agrees with torch at every step", () => {
    const { first, second } = train([[0, length]]);
    expect(largestError(first, floats(`${name}.first`))).toBeLessThan(1e-7);
    expect(largestError(second, floats(`${name}.second`))).toBeLessThan(1e-7);
  });

  test("agrees however the vector is shared out, and repeats to the bit", () => {
    const whole = train([[0, length]]);
    // Factors of clipping follow the sums' order, so compare two ways of splitting at the same place.
    const halves = train([
      [0, 101],
      [101, length],
    ]);
    expect(largestError(halves.parameters, whole.parameters)).toBeLessThan(1e-6);
    const again = train([
      [0, 101],
      [101, length],
    ]);
    expect(again.parameters).toEqual(halves.parameters);
  });
});

test("updates long vectors block by block as it does short ones, and nothing outside its range", () => {
  const length = 20_003;
  const settings = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.01 };
  const gradients = Float32Array.from({ length }, (_, i) => Math.sin(i));
  const start = Float32Array.from({ length }, (_, i) => Math.cos(3 * i));
  const update = createAdamw(settings);
  const whole = { parameters: start.slice(), state: initAdamw(length) };
  const pieces = { parameters: start.slice(), state: initAdamw(length) };
  for (let step = 0; step < 3; step++) {
    const shared = { step, rate: 0.01, gradientFactor: 0.5, gradients };
    update({ ...shared, ...whole, begin: 3, end: length - 2 });
    for (let begin = 3; begin < length - 2; begin += 777) {
      update({ ...shared, ...pieces, begin, end: Math.min(begin + 777, length - 2) });
    }
  }
  expect(pieces).toEqual(whole);
  expect(whole.parameters.subarray(0, 3)).toEqual(start.subarray(0, 3));
  expect(whole.parameters.subarray(length - 2)).toEqual(start.subarray(length - 2));
  expect(whole.parameters[3]).not.toBe(start[3]);
  expect(whole.state.firstMoment[length - 1]).toBe(0);
});
