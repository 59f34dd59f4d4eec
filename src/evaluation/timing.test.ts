import { expect, it } from "vitest";
import { interleavedTurns, median, summariseTimes } from "./timing.ts";

it("lets each sampler draw once a round, after warming up, in changing order", () => {
  const turns = interleavedTurns(4, 30, 1, 7);
  expect(turns).toHaveLength(31 * 4);
  const rounds = Array.from({ length: 31 }, (_, r) => turns.slice(4 * r, 4 * r + 4));
  rounds.forEach((round, r) => {
    expect(round.map(({ sampler }) => sampler).sort()).toEqual([0, 1, 2, 3]);
    expect(round.every(({ warming }) => warming === (r === 0))).toBe(true);
  });
  expect(new Set(rounds.map((round) => round.map(({ sampler }) => sampler).join())).size).toBeGreaterThan(5);
});

it("takes medians, so that one slow drawing counts little", async () => {
  const drawings = [1, 1.1, 0.9, 1, 40].map((seconds) => ({ seconds: 2 * seconds, pictures: 2, networkCalls: 4 }));
  const summary = await summariseTimes(drawings, { resamples: 100 });
  expect(summary).toMatchObject({
    secondsPerPicture: { value: 1 },
    secondsPerCall: 0.25,
    networkCalls: 4,
    drawings: 5,
  });
  expect(summary.quartiles).toEqual([1, 1.1]);
});

it("takes the mean of the middle two", () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

it("says what cannot be timed", async () => {
  await expect(summariseTimes([])).rejects.toThrow("no drawing to time");
  const two = [4, 8].map((networkCalls) => ({ seconds: 1, pictures: 1, networkCalls }));
  await expect(summariseTimes(two)).rejects.toThrow("Drawings with 4 and with 8 network calls");
});
