import { describe, expect, it } from "vitest";
import { CheckpointError } from "../errors.ts";
import { encode } from "../graph/encode.ts";
import { scale } from "../graph/ops/arithmetic.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import { fromFloat32 } from "../tensor/convert.ts";
import { elementCount, float32, type Tensor } from "../tensor/tensor.ts";
import { averagedSource, fromStored, frozenSource, TrainableParameters, toStored } from "./parameters.ts";

/** 0, 1, 2, ... in a shape. */
const counting = (...shape: number[]): Tensor<"float32"> =>
  float32(
    shape,
    Array.from({ length: elementCount(shape) }, (_, i) => i),
  );

describe("toStored and fromStored", () => {
  it("put a kernel's channels innermost, and back", () => {
    const { data, shape } = counting(2, 3, 1, 2);
    const stored = toStored(data, shape);
    expect([...stored]).toEqual([0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]);
    expect(fromStored(stored, shape)).toEqual(counting(2, 3, 1, 2));
  });

  it.each([[[4]], [[2, 3]], [[4, 3, 1, 1]]])("leave %j as it is", (shape) => {
    const { data } = counting(...shape);
    expect(toStored(data, shape)).toEqual(data);
    expect(fromStored(data, shape)).toEqual(counting(...shape));
  });

  it("read a tensor from the front of a longer vector", () => {
    expect(fromStored(Float32Array.of(1, 2, 3, 4, 5), [2, 2])).toEqual(float32([2, 2], [1, 2, 3, 4]));
  });
});

describe("parameters in a graph", () => {
  it("are seen in the shapes of files, whether they train, are averaged or are frozen", async () => {
    const [name, shape] = ["block.conv1.weight", [2, 3, 3, 2]] as const;
    const tensor = counting(...shape);
    const trainable = new TrainableParameters();
    const seen = trainable.source("unet.")(name, shape);
    const averaged = averagedSource("ema.", "unet.")(name, shape);
    const frozen = frozenSource(new Map([[name, fromFloat32(tensor, "float16")]]), "unet")(name, shape);
    const [parameter] = trainable.list();
    expect(parameter).toMatchObject({ name: "unet.block.conv1.weight", shape, stored: [3, 2, 2, 3] });

    const runtime = onnxRuntime({ threads: 1 });
    // A scale keeps inputs from being results themselves.
    const outputs = { seen: scale(seen, 2), averaged: scale(averaged, 2), frozen: scale(frozen, 2) };
    const session = await runtime.compile(encode(outputs));
    const stored = float32(parameter!.stored, toStored(tensor.data, shape));
    const opposite = { ...stored, data: stored.data.map((x) => -x) };
    const results = await session.run({ "unet.block.conv1.weight": stored, "ema.unet.block.conv1.weight": opposite });
    await runtime.dispose();
    const twice = tensor.data.map((x) => 2 * x);
    expect(results["seen"]).toMatchObject({ shape, data: twice });
    expect(results["frozen"]).toMatchObject({ shape, data: twice });
    expect(results["averaged"]).toMatchObject({ shape, data: twice.map((x) => -x) });
  });

  it("are made once for each name", () => {
    const trainable = new TrainableParameters();
    const [first, second] = [trainable.source("a."), trainable.source("a.")];
    expect(first("w", [2, 2, 3, 3])).toBe(second("w", [2, 2, 3, 3]));
    expect(trainable.source("b.")("w", [2, 2, 3, 3])).not.toBe(first("w", [2, 2, 3, 3]));
    expect(trainable.list().map(({ name }) => name)).toEqual(["a.w", "b.w"]);
    const averaged = averagedSource("ema.");
    expect(averaged("w", [2, 2, 3, 3])).toBe(averaged("w", [2, 2, 3, 3]));
    const frozen = frozenSource(new Map([["w", counting(2, 2, 3, 3)]]), "unet");
    expect(frozen("w", [2, 2, 3, 3])).toBe(frozen("w", [2, 2, 3, 3]));
  });

  it("must be there when they are frozen", () => {
    const source = frozenSource(new Map(), "unet");
    expect(() => source("conv_in.weight", [8, 4, 3, 3])).toThrow(CheckpointError);
    expect(() => source("conv_in.weight", [8, 4, 3, 3])).toThrow('unet has no tensor "conv_in.weight" [8, 4, 3, 3]');
  });
});
