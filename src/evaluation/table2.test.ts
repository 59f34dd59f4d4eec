import { afterAll, describe, expect, it } from "vitest";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import { counterNormal } from "../tensor/random/counter.ts";
import { float32 } from "../tensor/tensor.ts";
import type { Features } from "./features.ts";
import { runtimeProducts } from "./products.ts";
import { type Findings, type Table2, table2 } from "./table2.ts";
import { parseRow, referenceRow, rowKey, table2Rows, teacherRow } from "./table2-plan.ts";
import { comparisonLines, tableCsv, tableJson, tableMarkdown, tableText, threeDigits } from "./table2-text.ts";

const guidance = { plain: 4, accelerated: 1 };
const runtime = onnxRuntime({ threads: 1 });
const products = runtimeProducts(runtime);
afterAll(async () => {
  await products.dispose();
  await runtime.dispose();
});

const identity = { network: "normal 6, of a kind", resizing: "none", fingerprint: "0" };

/** Pictures whose features are standard normal numbers, moved by `shift`. */
function pictures(name: string, count: number, shift: number): Features {
  const data = counterNormal(3, name, 0, 6 * count).map((x) => x + shift);
  return { identity, rows: float32([count, 6], data) };
}

/** Three rows: LCM in 4 steps, a solver with the same pictures, and a worse and slower one. */
function findings(): Findings {
  const count = 40;
  const row = (text: string, name: string, shift: number, seconds: number, lpips: number): Findings["rows"][number] => {
    const plan = parseRow(text, guidance);
    const networkCalls = plan.steps * (plan.guidanceScale === 1 ? 1 : 2);
    return {
      plan,
      drawings: Array.from({ length: count }, () => ({ seconds, pictures: 1, networkCalls })),
      features: [pictures(name, count, shift)],
      byCaption: { lpips: Float64Array.from(counterNormal(4, "lpips", 0, count), (x) => lpips + 0.01 * x) },
    };
  };
  return {
    perCaption: 1,
    real: [pictures("real", 60, 0)],
    paired: {
      real: [pictures("own", count, 0)],
      conditions: { name: "normal 2", rows: float32([count, 2], counterNormal(5, "conditions", 0, 2 * count)) },
    },
    rows: [
      row("ddim:32", "same", 0.2, 8, 0.4),
      row("dpm-solver++:8", "far", 3, 2, 0.5),
      row("lcm:4", "same", 0.2, 0.5, 0.4),
    ],
  };
}

const made = (): Promise<Table2> => table2(products, findings(), { resamples: 60, seed: 1 });

describe("table 2", () => {
  it("compares LCM-LoRA in 4 steps with each other row; what cannot be told apart is a tie", async () => {
    const table = await made();
    expect(table.reference).toBe(2);
    expect(table.comparisons).toMatchObject([
      { row: 0, timesAsFast: 16, frechet: ["tie"], byCaption: { lpips: "tie" } },
      { row: 1, timesAsFast: 4, frechet: ["better"], byCaption: { lpips: "better" } },
    ]);
    expect(comparisonLines(table)).toEqual([
      "LCM-LoRA 4 against DDIM 32: Frechet a tie, LPIPS to real a tie; 16.0 times as fast",
      "LCM-LoRA 4 against DPM-Solver++ 8: Frechet better, LPIPS to real better; 4.00 times as fast",
    ]);
  });

  it("names features, counts, the extrapolated and the kernel distance beside each distance", async () => {
    const { rows } = await made();
    for (const { distances } of rows) {
      const [one] = distances;
      expect(one).toMatchObject({ features: "normal 6, of a kind, none resizing, weights 0", counts: [60, 40] });
      const { value, low, high } = one!.frechet;
      expect([low <= value, high >= value]).toEqual([true, true]);
      expect(one!.frechetInfinity).toBeLessThan(value);
      expect(one!.manifold!.precision).toBeGreaterThanOrEqual(0);
    }
    // As many means away as the distance without conditions.
    const [near, far] = rows.map(({ distances }) => distances[0]!.conditionalFrechet!) as [number, number];
    expect(far - near).toBeGreaterThan(6 * (3 ** 2 - 0.2 ** 2) * 0.7);
    expect(rows[1]!.distances[0]!.kernel).toBeGreaterThan(rows[0]!.distances[0]!.kernel);
  });

  it("writes itself as text, Markdown, CSV and JSON", async () => {
    const table = await made();
    expect(tableText(table, ["A note."])).toMatch(
      /^sampler +steps +calls +s\/image +Frechet +at infinity +kernel +LPIPS to real\n/,
    );
    expect(tableMarkdown(table, ["A note."])).toMatch(/\n\n- A note\.\n$/);
    const lines = tableCsv(table).split("\r\n");
    expect(lines).toHaveLength(5);
    expect(lines[1]).toMatch(/^DDIM,32,4,64,8,8,8,40,"normal 6, of a kind, none resizing, weights 0",/);
    const json = tableJson(table, { notes: ["A note."] });
    expect(json).toMatchObject({
      reference: "LCM-LoRA 4",
      rows: [{ sampler: "ddim", steps: 32, networkCalls: 64, secondsPerImage: 8, images: 40, clipScore: null }, {}, {}],
      notes: ["A note."],
    });
  });

  it("writes about three digits", () => {
    expect([1234.5, 12.345, 1.2345, 0.12345, 0.012345, 0].map(threeDigits)).toEqual([
      "1235",
      "12.3",
      "1.23",
      "0.123",
      "0.0123",
      "0.000",
    ]);
  });
});

describe("rows", () => {
  it("are the paper's unless told", () => {
    const rows = table2Rows(guidance);
    expect(rows.map(rowKey)).toEqual([
      "ddim-32-g4",
      "dpm-solver-16-g4",
      "dpm-solver++-8-g4",
      "lcm-4-g1",
      "lcm-1-g1",
      "lcm-2-g1",
      "lcm-8-g1",
    ]);
    expect([referenceRow(rows), teacherRow(rows)]).toEqual([3, 0]);
  });

  it("say their guidance, or take the usual", () => {
    expect(parseRow("dpm-solver++:8:7.5", guidance)).toMatchObject({
      steps: 8,
      guidanceScale: 7.5,
      accelerated: false,
    });
    expect(parseRow("lcm:8", guidance)).toMatchObject({ guidanceScale: 1, accelerated: true });
  });

  it.each([
    "",
    "ddim",
    "ddim:",
    "ddim:1.5",
    "ddim:0",
    "ddim:1001",
    "ddim:8:x",
    "ddim:8:",
    "ddim:8:-1",
    "ddim:8:4:1",
    "nothing:4",
  ])("are not %j", (text) => {
    expect(() => parseRow(text, guidance)).toThrow("A row is SAMPLER:STEPS or SAMPLER:STEPS:GUIDANCE");
  });
});
