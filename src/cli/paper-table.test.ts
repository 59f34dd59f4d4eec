import { describe, expect, it } from "vitest";
import { runFourstep } from "../../test/cli-run.ts";
import { explainedTable } from "./paper-table.ts";

describe("fourstep inspect --table1", () => {
  it("counts the paper's models", async () => {
    const { code, stdout, stderr } = await runFourstep(["inspect", "--table1", "--json"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({
      rank: 64,
      rows: [
        { model: "SD-V1.5", full: 859_520_964, lora: 67_252_224, modules: 278 },
        { model: "SSD-1B", full: 1_331_334_404, lora: 104_902_656, modules: 423 },
        { model: "SDXL", full: 2_567_463_684, lora: 196_751_360, modules: 788 },
      ],
    });
  });

  it("explains what the paper rounded", async () => {
    const digits: Readonly<Record<string, number>> = { "SD-V1.5": 2, "SSD-1B": 1, SDXL: 1 };
    for (const { model, lora, paper } of explainedTable()) {
      expect(`${(paper.parameters / 1e9).toFixed(digits[model])}B`).toBe(paper.full);
      const half = paper.megabytes / 2;
      // Published files are a little larger than their numbers: 134.6, 210.0 and 393.9 MB.
      expect(Math.abs(half - Number.parseFloat(paper.lora))).toBeLessThanOrEqual(0.5);
      expect(Math.abs(lora / 1e6 - half)).toBeLessThan(0.5);
    }
    const { stdout } = await runFourstep(["inspect", "--table1"]);
    expect(stdout).toContain("SDXL       2,567,463,684   196,751,360      788\n");
    expect(stdout).toContain("SD-V1.5: 0.98B is its U-Net and text encoder, 982,581,444\n");
  });

  it("wants a path or the table, not both", async () => {
    const neither = await runFourstep(["inspect"]);
    expect(neither.code).toBe(2);
    expect(neither.stderr).toContain("name a file or a folder");
    const both = await runFourstep(["inspect", "--table1", "x"]);
    expect(both.code).toBe(2);
    expect(both.stderr).toContain("--table1 takes no path");
  });
});
