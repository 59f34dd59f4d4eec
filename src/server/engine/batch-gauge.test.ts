import { expect, it } from "vitest";
import { batchGauge } from "./batch-gauge.ts";

it("draws alone, then together, then as was faster", () => {
  const gauge = batchGauge(4);
  expect(gauge.choose("k", 4)).toBe(1);
  gauge.measured("k", 1, 1);
  expect(gauge.choose("k", 4)).toBe(4);
  expect(gauge.choose("k", 3)).toBe(2);
  expect(gauge.choose("k", 1)).toBe(1);
  gauge.measured("k", 4, 0.5);
  expect(gauge.choose("k", 9)).toBe(4);
  gauge.measured("k", 2, 1.2);
  expect(gauge.choose("k", 3)).toBe(1);
  expect(gauge.choose("other", 4)).toBe(1);
});

it("leaves a batch that is no faster", () => {
  const gauge = batchGauge(2);
  gauge.measured("k", 1, 1);
  gauge.measured("k", 2, 0.99);
  expect(gauge.choose("k", 2)).toBe(1);
  for (let i = 0; i < 20; i++) gauge.measured("k", 2, 0.5);
  expect(gauge.choose("k", 2)).toBe(2);
});

it("has no batches when they are not wanted", () => {
  const gauge = batchGauge(1);
  gauge.measured("k", 1, 1);
  expect(gauge.choose("k", 8)).toBe(1);
});
