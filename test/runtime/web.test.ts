import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const child = fileURLToPath(new URL("./training-step.ts", import.meta.url));

/** Runs the step in a process of its own, with ONNX Runtime for Node or for browsers (WebAssembly). */
function step(conditions: readonly string[]): Record<string, number[]> {
  const args = [...conditions.map((one) => `--conditions=${one}`), "--import", "tsx", child];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }).trim().split("\n").at(-1)!);
}

describe("the browser's runtime", () => {
  it("gives Node's losses and gradients on WebAssembly", () => {
    const node = step([]);
    const web = step(["browser"]);
    expect(Object.keys(web)).toEqual(Object.keys(node));
    for (const [name, values] of Object.entries(node)) {
      const largest = Math.max(...values.map(Math.abs));
      const error = Math.max(...values.map((value, i) => Math.abs(value - web[name]![i]!)));
      expect(error, name).toBeLessThan(1e-5 * largest);
    }
  });
});
