import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { layParametersOut } from "../training/engine.ts";
import { openRunFolder } from "./run-folder.ts";
import { saveSampleSheet, writeReport } from "./write-report.ts";

test("a run's folder gives its report", async () => {
  const path = await mkdtemp(join(tmpdir(), "fourstep-report-"));
  try {
    await using folder = await openRunFolder(path, { config: { steps: 5 }, resume: false, freeKeys: [] });
    await folder.resume(layParametersOut([]));
    for (const step of [1, 2]) {
      await folder.log({ step, loss: 0.5, rate: 1, gradientNorm: 1, pictures: 4, milliseconds: 9, metrics: {} });
    }
    await saveSampleSheet(path, 2, Uint8Array.from([9, 9, 9]));
    const report = await writeReport(path, "My run", "a fox", undefined);
    expect(report).toBe(join(path, "report.html"));
    const page = await readFile(report, "utf8");
    expect(page).toContain("<dd>2 of 5</dd>");
    expect(page).toContain("Step 2: a fox");
    expect(page).toContain("base64,CQkJ");
  } finally {
    await rm(path, { recursive: true, force: true });
  }
});
