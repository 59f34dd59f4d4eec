import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomically } from "../formats/file-source.node.ts";
import { parseJsonObject } from "../formats/json.ts";
import type { Kept } from "../training/choice.ts";
import { decodeLog } from "../training/log.ts";
import { type SampleSheet, trainingReport } from "../training/report.ts";
import { runFiles } from "./run-folder.ts";

const sheetName = /^step-(\d+)\.png$/;

/** Keeps the sheet (a PNG file) of a step in a run's folder. */
export async function saveSampleSheet(path: string, step: number, png: Uint8Array): Promise<void> {
  const folder = join(path, runFiles.samples);
  await mkdir(folder, { recursive: true });
  await writeFileAtomically(join(folder, `step-${String(step).padStart(8, "0")}.png`), png);
}

/**
 * Writes `report.html` into a run's folder, from its config, its log and its sample sheets.
 * @param caption what each sheet shows
 * @param kept which weights are the result, where they were measured
 * @throws FormatError when the log or the config is damaged
 * @returns the path of the report
 */
export async function writeReport(
  path: string,
  title: string,
  caption: string,
  kept: Kept | undefined,
): Promise<string> {
  const configPath = join(path, runFiles.config);
  const config = parseJsonObject(await readFile(configPath, "utf8"), configPath);
  const entries = decodeLog(await readFile(join(path, runFiles.log), "utf8"), runFiles.log);
  const sheets = await readSheets(join(path, runFiles.samples), caption);
  const report = join(path, "report.html");
  await writeFileAtomically(report, trainingReport({ title, config, entries, sheets, kept }));
  return report;
}

async function readSheets(folder: string, caption: string): Promise<SampleSheet[]> {
  const names = await readdir(folder).catch((): string[] => []);
  const sheets: SampleSheet[] = [];
  for (const name of names.sort()) {
    const digits = sheetName.exec(name)?.[1];
    if (digits === undefined) continue;
    sheets.push({ step: Number(digits), caption, mediaType: "image/png", bytes: await readFile(join(folder, name)) });
  }
  return sheets;
}
