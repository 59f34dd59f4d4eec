import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const rounds = 6;

/** Rounds after which the runtime and the engine have what they keep. */
const settled = 3;

/**
 * Bytes: three further rounds may not take as much. What a round opens is at least 40 MB of float32 weights, so that three
 * that were not given back would take twice this; settling takes some 5 MB.
 */
const tolerance = 60e6;

it("gives memory back when networks are disposed of", { timeout: 900_000 }, async () => {
  const words = ["--expose-gc", "--import", "tsx", "test/memory/draw-child.ts", String(rounds)];
  const { stdout } = await promisify(execFile)(process.execPath, words);
  const resident = JSON.parse(stdout) as number[];
  expect(resident.length).toBe(rounds);
  expect(resident.at(-1)! - resident[settled - 1]!).toBeLessThan(tolerance);
});
