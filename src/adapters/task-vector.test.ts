import { describe, expect, it } from "vitest";
import { float32 } from "../tensor/tensor.ts";
import { addTaskVectors, applyTaskVector, negateTaskVector, taskVector, type Weights } from "./task-vector.ts";

const weights = (values: Record<string, number[]>): Weights =>
  new Map(Object.entries(values).map(([name, data]) => [name, float32([data.length], data)]));

const base = weights({ a: [1, 2], b: [5] });
const tuned = weights({ a: [4, -2], b: [5.5] });

describe("task vectors", () => {
  it("lead from the base to the fine-tuned weights, and back", () => {
    const tau = taskVector(tuned, base);
    expect(tau).toEqual(weights({ a: [3, -4], b: [0.5] }));
    expect(applyTaskVector(base, tau)).toEqual(tuned);
    expect(applyTaskVector(tuned, negateTaskVector(tau))).toEqual(base);
    expect(applyTaskVector(base, tau, 0.5)).toEqual(weights({ a: [2.5, 0], b: [5.25] }));
  });

  it("add with any weights, over all tensors that any of them changes", () => {
    const sum = addTaskVectors([
      [2, weights({ a: [3, -4] })],
      [-0.5, weights({ a: [2, 2], b: [8] })],
    ]);
    expect(sum).toEqual(weights({ a: [5, -9], b: [-4] }));
  });

  it("refuse weights of another model", () => {
    expect(() => taskVector(weights({ a: [1, 2] }), base)).toThrow('the fine-tuned weights lack "b"');
    expect(() => taskVector(weights({ a: [1, 2], b: [1], c: [1] }), base)).toThrow('the base has no weight "c"');
    expect(() => applyTaskVector(base, weights({ a: [1] }))).toThrow('"a" is [2] in one and [1] in the other.');
  });
});
