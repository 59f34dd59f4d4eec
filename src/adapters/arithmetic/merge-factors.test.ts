import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { AdapterError } from "../../errors.ts";
import { decodeSafetensors } from "../../formats/safetensors.ts";
import type { LoraModule } from "../lora.ts";
import { type MergeOptions, mergeDefaults } from "./merge-changes.ts";
import { mergeFactors } from "./merge-factors.ts";

const file = "test/fixtures/arithmetic/merges.safetensors";
const fixture = decodeSafetensors(readFileSync(file), file);
const module = (name: string, alpha: number): LoraModule => ({
  path: "a",
  down: fixture.get(`factors.${name}.down`)!,
  up: fixture.get(`factors.${name}.up`)!,
  alpha,
});
const parts = [
  { lambda: 0.8, module: module("0", 6) },
  { lambda: -0.5, module: module("1", 3) },
];

describe("merging factors apart", () => {
  it.each(["linear", "ties", "magnitude-prune"] as const)(
    "agrees with PEFT's add_weighted_adapter: %s",
    async (method) => {
      const options: MergeOptions = { ...mergeDefaults, method, density: method === "linear" ? 1 : 0.5 };
      const merged = await mergeFactors("a", parts, options);
      for (const of of ["down", "up"] as const) {
        const wanted = fixture.get(`factors.${method}.${of}`)!.data as Float32Array;
        const found = merged[of].data as Float32Array;
        expect(found).toHaveLength(wanted.length);
        expect(Math.max(...found.map((x, i) => Math.abs(x - wanted[i]!)))).toBeLessThan(1e-6);
      }
      expect(merged.alpha).toBe(6);
    },
  );

  it("refuses different ranks", async () => {
    const { down, up } = parts[0]!.module;
    const thin = (rows: number): LoraModule => ({
      path: "a",
      down: { type: "float32", shape: [rows, down.shape[1]!], data: new Float32Array(rows * down.shape[1]!) },
      up: { type: "float32", shape: [up.shape[0]!, rows], data: new Float32Array(rows * up.shape[0]!) },
      alpha: 1,
    });
    const merging = mergeFactors("a", [parts[0]!, { lambda: 1, module: thin(2) }], mergeDefaults);
    await expect(merging).rejects.toThrow(AdapterError);
  });
});
