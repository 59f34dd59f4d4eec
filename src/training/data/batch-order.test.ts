import { describe, expect, it } from "vitest";
import { UsageError } from "../../errors.ts";
import { batchIndices, createBatchOrder } from "./batch-order.ts";

describe("batchIndices", () => {
  it("draws every item once an epoch, across batches that straddle epochs", () => {
    const drawn = Array.from({ length: 10 }, (_, step) => batchIndices(5, step, 7, 10)).flat();
    for (let epoch = 0; epoch < 7; epoch++) {
      const items = drawn.slice(epoch * 10, (epoch + 1) * 10);
      expect([...items].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
    expect(drawn.slice(0, 10)).not.toEqual(drawn.slice(10, 20));
  });

  it("gives the same batch in whatever order steps are asked for", () => {
    const order = createBatchOrder(1, 23);
    const forwards = [0, 1, 2, 3, 4, 5].map((step) => order(step, 8));
    for (const step of [5, 0, 3, 1, 4, 2]) {
      expect(order(step, 8)).toEqual(forwards[step]);
      expect(batchIndices(1, step, 8, 23)).toEqual(forwards[step]);
    }
  });

  it("changes with the seed", () => {
    expect(batchIndices(1, 0, 16, 100)).not.toEqual(batchIndices(2, 0, 16, 100));
  });

  it("may take a batch larger than the set", () => {
    const batch = batchIndices(1, 3, 7, 3);
    expect(new Set(batch)).toEqual(new Set([0, 1, 2]));
  });

  it("refuses an empty set", () => {
    expect(() => createBatchOrder(1, 0)).toThrow(UsageError);
  });
});
