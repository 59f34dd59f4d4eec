import { describe, expect, it } from "vitest";
import { counterNormal } from "../tensor/random/counter.ts";
import { bootstrap, bootstrapDifference, bootstrapMean, quantile, verdictOf } from "./bootstrap.ts";

describe("bootstrap", () => {
  it("covers the truth about as often as it says", async () => {
    let held = 0;
    for (let i = 0; i < 200; i++) {
      const { low, high } = await bootstrapMean(counterNormal(i, "sample", 0, 60), { resamples: 200, seed: i });
      if (low <= 0 && high >= 0) held++;
    }
    expect(held / 200).toBeGreaterThan(0.89);
    expect(held / 200).toBeLessThan(0.99);
  });

  it("is about 1.96 standard errors wide on each side, and narrower at a lower level", async () => {
    const values = counterNormal(1, "sample", 0, 400);
    const wide = await bootstrapMean(values);
    expect((wide.high - wide.low) / 2 / (1.96 / 20)).toBeCloseTo(1, 0);
    const narrow = await bootstrapMean(values, { level: 0.5 });
    expect(narrow.high - narrow.low).toBeLessThan((wide.high - wide.low) / 2);
    expect(narrow.value).toBe(wide.value);
  });

  it("draws the same sets for equal seeds, so that a common part cancels in a difference", async () => {
    const values = counterNormal(2, "sample", 0, 50);
    const mean = (indices: Int32Array): number => indices.reduce((sum, i) => sum + values[i]!, 0) / indices.length;
    const { value, low, high } = await bootstrapDifference(50, (some) => mean(some) + 0.01, mean);
    for (const x of [value, low, high]) expect(x).toBeCloseTo(0.01, 12);
  });

  it("moves a centred interval onto the value", async () => {
    // The number of different pictures: 40 of the whole, about 25 of a resample.
    const different = (indices: Int32Array): number => new Set(indices).size;
    const plain = await bootstrap(40, different, { resamples: 300 });
    expect(plain.high).toBeLessThan(plain.value);
    const { value, low, high } = await bootstrap(40, different, { resamples: 300, centred: true });
    expect([low < value, high > value]).toEqual([true, true]);
  });

  it("calls a difference whose interval holds zero a tie", () => {
    const of = (value: number, low: number, high: number) => ({ value, low, high, level: 0.95 });
    expect(verdictOf(of(-1, -2, 0.1), "small")).toBe("tie");
    expect(verdictOf(of(-1, -2, -0.1), "small")).toBe("better");
    expect(verdictOf(of(-1, -2, -0.1), "large")).toBe("worse");
    expect(verdictOf(of(1, 0.5, 2), "large")).toBe("better");
  });

  it("finds quantiles between neighbours", () => {
    expect([0, 0.25, 0.5, 1].map((share) => quantile([1, 2, 4], share))).toEqual([1, 1.5, 2, 4]);
  });

  it("says what it needs", async () => {
    await expect(bootstrapMean([])).rejects.toThrow("at least one picture is needed");
    await expect(bootstrapMean([1], { resamples: 1 })).rejects.toThrow("at least 2 resamples, but 1 were asked for");
  });
});
