import { describe, expect, it } from "vitest";
import { CheckpointError } from "../errors.ts";
import { elementCount, float32, type Tensor } from "../tensor/tensor.ts";
import { firstValues, initialise, parametersAsFiles } from "./initialise.ts";
import { type TrainableParameter, TrainableParameters } from "./parameters.ts";

function parameter(name: string, ...shape: number[]): TrainableParameter {
  const trainable = new TrainableParameters();
  trainable.value(name, shape);
  return trainable.list()[0]!;
}

const first = (name: string, ...shape: number[]): number[] => [...initialise(parameter(name, ...shape), 3)];

function deviation(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
}

/** 0, 1, 2, ... in a shape. */
const counting = (...shape: number[]): Tensor<"float32"> =>
  float32(
    shape,
    Array.from({ length: elementCount(shape) }, (_, i) => i),
  );

describe("initialise", () => {
  it.each([
    ["unet.down_blocks.0.resnets.0.conv1.bias", [40]],
    ["unet.down_blocks.0.resnets.0.conv2.weight", [8, 8, 3, 3]],
    ["unet.mid_block.attentions.0.proj_out.weight", [8, 8, 1, 1]],
    ["unet.conv_out.weight", [4, 8, 3, 3]],
    ["decoder.mid_block.resnets.0.conv2.weight", [8, 8, 3, 3]],
    ["lora.mid_block.attentions.0.proj_in.lora_up.weight", [8, 2, 1, 1]],
  ])("starts %s at zero", (name, shape) => {
    expect(new Set(first(name, ...shape))).toEqual(new Set([0]));
  });

  it("starts norms as the identity", () => {
    expect(first("unet.conv_norm_out.weight", 3)).toEqual([1, 1, 1]);
    expect(first("unet.conv_norm_out.bias", 3)).toEqual([0, 0, 0]);
  });

  it.each([
    ["unet.time_embedding.linear_1.weight", [50, 60], 60],
    ["unet.time_embedding.cond_proj.weight", [50, 60], 60],
    ["unet.down_blocks.0.resnets.0.conv1.weight", [40, 12, 3, 3], 108],
    ["encoder.conv_out.weight", [40, 12, 3, 3], 108],
    ["decoder.conv_out.weight", [40, 12, 3, 3], 108],
  ])("spreads %s evenly within one over the root of its inputs", (name, shape, inputs) => {
    const values = first(name, ...shape);
    const bound = 1 / Math.sqrt(inputs);
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound);
    expect(Math.max(...values)).toBeGreaterThan(0.97 * bound);
    expect(Math.min(...values)).toBeLessThan(-0.97 * bound);
    expect(deviation(values) / (bound / Math.sqrt(3))).toBeCloseTo(1, 1);
  });

  it.each([
    ["text_encoder.text_model.embeddings.token_embedding.weight", [60, 50], 0.02],
    ["text_encoder.text_model.embeddings.position_embedding.weight", [60, 50], 0.02],
    ["lora.mid_block.attentions.0.proj_in.lora_down.weight", [4, 800, 1, 1], 0.25],
    ["lora.mid_block.resnets.0.conv1.lora_down.weight", [5, 80, 3, 3], 0.2],
  ])("draws %s from a normal distribution", (name, shape, expected) => {
    const values = first(name, ...shape);
    expect(deviation(values) / expected).toBeCloseTo(1, 1);
    // About 1 in 22 lies beyond two deviations; evenly spread numbers never do.
    const beyond = values.filter((x) => Math.abs(x) > 2 * expected).length / values.length;
    expect(beyond).toBeGreaterThan(0.03);
    expect(beyond).toBeLessThan(0.06);
  });

  it("is a function of name and seed alone", () => {
    const one = parameter("unet.conv_in.weight", 8, 4, 3, 3);
    expect(initialise(one, 3)).toEqual(initialise(parameter("unet.conv_in.weight", 8, 4, 3, 3), 3));
    expect(initialise(one, 4)).not.toEqual(initialise(one, 3));
    expect(initialise(parameter("encoder.conv_in.weight", 8, 4, 3, 3), 3)).not.toEqual(initialise(one, 3));
  });
});

describe("firstValues", () => {
  const kernel = parameter("unet.a.conv1.weight", 2, 3, 2, 1);
  const matrix = parameter("text.b.weight", 2, 2);
  const fresh = parameter("unet.c.weight", 3, 5);
  const all = [kernel, matrix, fresh];

  it("lays given values out as training keeps them, and fresh ones beside them", () => {
    const given = new Map([
      ["unet.a.conv1.weight", counting(2, 3, 2, 1)],
      ["text.b.weight", float32([2, 2], [90, 91, 92, 93])],
      ["unet.unknown.weight", counting(4)],
    ]);
    const vector = firstValues(all, 5, given);
    // [out, in, height, width] becomes [height, width, out, in].
    expect([...vector.subarray(0, 12)]).toEqual([0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]);
    expect([...vector.subarray(12, 16)]).toEqual([90, 91, 92, 93]);
    expect([...vector.subarray(16)]).toEqual([...initialise(fresh, 5)]);
    const files = parametersAsFiles(all, vector);
    expect([...files.keys()]).toEqual(all.map(({ name }) => name));
    expect(files.get("unet.a.conv1.weight")).toEqual(given.get("unet.a.conv1.weight"));
    expect(files.get("text.b.weight")).toEqual(given.get("text.b.weight"));
    expect([...parametersAsFiles(all, vector, "unet.")]).toEqual([
      ["a.conv1.weight", files.get("unet.a.conv1.weight")],
      ["c.weight", files.get("unet.c.weight")],
    ]);
  });

  it("takes a matrix for a convolution of one pixel", () => {
    const pointwise = parameter("proj_in.weight", 2, 3, 1, 1);
    expect([...firstValues([pointwise], 0, new Map([["proj_in.weight", counting(2, 3)]]))]).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("refuses a tensor of another shape", () => {
    const given = new Map([["unet.c.weight", counting(5, 3)]]);
    expect(() => firstValues(all, 0, given)).toThrow(CheckpointError);
    expect(() => firstValues(all, 0, given)).toThrow(
      'The tensor given for "unet.c.weight" has the shape [5, 3], but the model asks for [3, 5]; start from a file of the same model.',
    );
  });
});
