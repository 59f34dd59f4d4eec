import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { decodeSafetensors } from "../../src/formats/safetensors.ts";
import { parseSafetensorsHeader } from "../../src/formats/safetensors-header.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import { float32, int64, type Tensor } from "../../src/tensor/tensor.ts";
import type { Batch } from "../../src/training/engine.ts";
import { type GradientSum, sumGradients } from "../../src/training/gradients.ts";
import { firstValues, parametersAsFiles } from "../../src/training/initialise.ts";
import { encodeObjective, layoutOf, type Objective } from "../../src/training/objective.ts";
import type { TrainableParameter } from "../../src/training/parameters.ts";
import { formula, uniform } from "./formula.ts";

/** A file of `scripts/fixtures/training.py`. */
export interface TrainingFixture {
  /** Numbers of a tensor. */
  numbers(name: string): ArrayLike<number>;
  has(name: string): boolean;
  /** A value of the metadata, which are JSON. */
  metadata(name: string): unknown;
}

export function trainingFixture(file: string): TrainingFixture {
  const bytes = readFileSync(`test/fixtures/training/${file}.safetensors`);
  const tensors = decodeSafetensors(bytes, file);
  const { metadata } = parseSafetensorsHeader(bytes, bytes.length, file);
  return {
    numbers: (name) => {
      const found = tensors.get(name);
      if (found === undefined) throw new Error(`${file} has no ${name}.`);
      return found.data as Float32Array | Float64Array;
    },
    has: (name) => tensors.has(name),
    metadata: (name) => JSON.parse(metadata.get(name)!) as unknown,
  };
}

/** The formula's tensor `[batch, channels, height, width]` as maps, channels first. */
export function formulaMaps(name: string, [batch, channels, height, width]: readonly number[]): Tensor<"float32"> {
  const { data } = formula(name, [batch!, channels!, height!, width!]);
  const positions = height! * width!;
  const maps = new Float32Array(data.length);
  for (let n = 0; n < batch!; n++) {
    for (let c = 0; c < channels!; c++) {
      const from = (n * channels! + c) * positions;
      maps.set(data.subarray(from, from + positions), (c * batch! + n) * positions);
    }
  }
  return float32([channels!, batch!, height!, width!], maps);
}

/** Token numbers of a name: `[batch, tokens]`. */
export function formulaTokens(name: string, batch: number, tokens: number, vocabulary: number): Tensor<"int64"> {
  const ids = Array.from(uniform(name, batch * tokens), (u) => Math.floor(((u + 1) / 2) * vocabulary));
  return int64([batch, tokens], ids);
}

/** Training parameters are named after their network; the formula goes by the network's own names. */
const ownName = (name: string): string => name.replace(/^(unet|text_encoder|lora)\./, "");

/** All parameters of an objective, from the formula of `prefix` and their names, as training keeps them. */
export function formulaVector(parameters: readonly TrainableParameter[], prefix = ""): Float32Array {
  const given = new Map(parameters.map(({ name, shape }) => [name, formula(prefix + ownName(name), shape)]));
  return firstValues(parameters, 0, given);
}

/** What one pass over a micro-batch gives; gradients in the shapes of files. */
export interface Pass extends GradientSum {
  readonly gradients: ReadonlyMap<string, Tensor<"float32">>;
}

/** Loss and gradients of an objective whose parameters are the formula's; its averaged copy is that of `averaged `. */
export async function passOf(objective: Objective, batch: Batch): Promise<Pass> {
  const layout = layoutOf(objective);
  const runtime = onnxRuntime({ threads: 1 });
  const session = await runtime.compile(encodeObjective(objective));
  const values = formulaVector(objective.parameters);
  const averages = formulaVector(objective.parameters, "averaged ");
  const gradients = new Float32Array(layout.length);
  const sum = await sumGradients(session, layout, [batch], values, averages, gradients);
  await runtime.dispose();
  return { ...sum, gradients: parametersAsFiles(objective.parameters, gradients) };
}

/**
 * Loss and gradients must be those of the fixture's case: each within 1e-3, relative to the loss, to the gradient's norm or to
 * its largest element.
 */
export function expectPass(fixture: TrainingFixture, name: string, pass: Pass): void {
  const loss = fixture.numbers(`${name}.loss`)[0]!;
  expect(Math.abs(pass.loss / loss - 1), "relative error of the loss").toBeLessThan(1e-4);
  const names = fixture.metadata(`${name}.names`) as string[];
  expect([...pass.gradients.keys()].map(caseName(names)).sort()).toEqual([...names].sort());
  const byName = new Map(Array.from(pass.gradients, ([key, gradient]) => [caseName(names)(key), gradient]));
  const probes = fixture.numbers(`${name}.probes`);
  names.forEach((parameter, i) => {
    const { data, shape } = byName.get(parameter)!;
    const [norm, product] = [probes[2 * i]!, probes[2 * i + 1]!];
    const size = Math.max(norm, 1e-5);
    expect(Math.abs(Math.sqrt(dot(data, data)) - norm) / size, `norm of ${parameter}`).toBeLessThan(1e-3);
    const probe = formula(`probe ${parameter}`, shape).data;
    expect(Math.abs(dot(data, probe) - product) / size, `probe of ${parameter}`).toBeLessThan(1e-3);
    const whole = `${name}.grad.${parameter}`;
    if (fixture.has(whole)) expectClose(parameter, data, fixture.numbers(whole), 1e-3);
  });
}

/** Adapters and whole networks are recorded by names of their own, the base model's parts by training's. */
const caseName =
  (names: readonly string[]) =>
  (name: string): string =>
    names.includes(name) ? name : ownName(name);

/** The largest error must be below `tolerance` times the largest value. */
export function expectClose(
  name: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): void {
  expect(actual.length, name).toBe(expected.length);
  let largest = 0;
  let error = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!));
    // NaN must not pass as no error.
    error = Math.max(error, Number.isNaN(actual[i]!) ? Infinity : Math.abs(actual[i]! - expected[i]!));
  }
  expect(error, `largest error of ${name}`).toBeLessThanOrEqual(tolerance * largest);
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
