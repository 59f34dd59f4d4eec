import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readModuleTable } from "../../../../test/module-table.ts";
import { originalUNetPaths } from "./unet-names.ts";

describe("originalUNetPaths", () => {
  it.each(["sd15", "sdxl", "ssd1b"] as const)("names the layers of %s as diffusers converts them back", (model) => {
    const table = readModuleTable(model).map(({ path }) => path);
    const paths = originalUNetPaths(table);
    const expected: unknown = JSON.parse(readFileSync(`test/fixtures/adapters/ldm-names-${model}.json`, "utf8"));
    expect(table.map((path) => paths.get(path) ?? null)).toEqual(expected);
    expect(new Set(paths.values()).size).toBe(table.length);
  });

  it("has no name for a layer of another network", () => {
    expect(originalUNetPaths(["conv_in", "down_blocks.0.motion_modules.0.proj"])).toEqual(
      new Map([["conv_in", "input_blocks.0.0"]]),
    );
  });
});
