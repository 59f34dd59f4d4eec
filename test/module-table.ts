import { readFileSync } from "node:fs";
import type { ModuleShape } from "../src/adapters/targets.ts";

/** The layers of a U-Net as diffusers builds it; see `scripts/fixtures/adapters.py`. */
export function readModuleTable(name: "sd15" | "sdxl" | "ssd1b" | "tiny"): ModuleShape[] {
  const text = readFileSync(`test/fixtures/adapters/modules-${name}.json`, "utf8");
  const { modules } = JSON.parse(text) as { modules: [path: string, weight: number[]][] };
  return modules.map(([path, weight]) => ({ path, kind: weight.length === 4 ? "conv" : "linear", weight }));
}
