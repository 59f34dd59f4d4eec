/** The comparison of samplers as text, Markdown, CSV and JSON. */
import type { JsonObject } from "../formats/json.ts";
import type { Estimate, Verdict } from "./bootstrap.ts";
import { type CaptionColumn, captionColumns, type Table2, type Table2Row } from "./table2.ts";
import { rowSampler, rowTitle } from "./table2-plan.ts";

/** What columns are called. */
export const columnTitles: Readonly<Record<CaptionColumn, string>> = {
  lpips: "LPIPS to real",
  lpipsTeacher: "LPIPS to teacher",
  lpipsDiversity: "LPIPS among",
  clipScore: "CLIP score",
  captionRetrieval: "Retrieval",
};

/** The columns that any row has. */
export function presentColumns({ rows }: Table2): readonly CaptionColumn[] {
  return (Object.keys(captionColumns) as CaptionColumn[]).filter((name) =>
    rows.some(({ byCaption }) => byCaption[name] !== undefined),
  );
}

/** A number of about three digits, without an exponent. */
export function threeDigits(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return value.toFixed(size >= 1 ? 2 : size >= 0.1 || size === 0 ? 3 : 4);
}

function withInterval(estimate: Estimate | undefined): string {
  if (estimate === undefined) return "–";
  const { value, low, high } = estimate;
  return `${threeDigits(value)} [${threeDigits(low)}, ${threeDigits(high)}]`;
}

/** Head and rows of the table, in words. */
export function tableCells(table: Table2): readonly (readonly string[])[] {
  const names = presentColumns(table);
  const distances = table.rows[0]?.distances ?? [];
  const frechet = distances.flatMap(({ features }) => {
    const of = distances.length === 1 ? "" : ` ${features.split(",")[0]!}`;
    return [`Frechet${of}`, `at infinity${of}`, `kernel${of}`];
  });
  const head = ["sampler", "steps", "calls", "s/image", ...frechet, ...names.map((name) => columnTitles[name])];
  const rows = table.rows.map((row) => [
    rowSampler(row.plan),
    String(row.plan.steps),
    String(row.time.networkCalls),
    withInterval(row.time.secondsPerPicture),
    ...row.distances.flatMap(({ frechet: estimate, frechetInfinity, kernel }) => [
      withInterval(estimate),
      frechetInfinity === undefined ? "–" : threeDigits(frechetInfinity),
      String(Number(kernel.toPrecision(3))),
    ]),
    ...names.map((name) => withInterval(row.byCaption[name])),
  ]);
  return [head, ...rows];
}

const verdictWords: Readonly<Record<Verdict, string>> = { better: "better", worse: "worse", tie: "a tie" };

/** What the reference is worth against each other row, a sentence each. */
export function comparisonLines({ rows, reference, comparisons }: Table2): readonly string[] {
  const own = rows[reference];
  if (own === undefined) return [];
  return comparisons.map(({ row, timesAsFast, frechet, byCaption }) => {
    const other = rows[row]!;
    const parts = frechet.map((verdict, n) => {
      const name = frechet.length === 1 ? "Frechet" : `Frechet (${own.distances[n]!.features.split(",")[0]!})`;
      return `${name} ${verdictWords[verdict]}`;
    });
    for (const [name, verdict] of Object.entries(byCaption) as [CaptionColumn, Verdict][])
      parts.push(`${columnTitles[name]} ${verdictWords[verdict]}`);
    return `${rowTitle(own.plan)} against ${rowTitle(other.plan)}: ${parts.join(", ")}; ${threeDigits(timesAsFast)} times as fast`;
  });
}

/** The table for a terminal. */
export function tableText(table: Table2, notes: readonly string[]): string {
  const cells = tableCells(table);
  const widths = cells[0]!.map((_, c) => Math.max(...cells.map((row) => row[c]!.length)));
  const lines = cells.map((row) =>
    row
      .map((cell, c) => (c === 0 ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!)))
      .join("  ")
      .trimEnd(),
  );
  return `${[...lines, "", ...comparisonLines(table), "", ...notes].join("\n")}\n`;
}

/** The table for a page of Markdown. */
export function tableMarkdown(table: Table2, notes: readonly string[]): string {
  const [head = [], ...rows] = tableCells(table);
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = `|${head.map((_, c) => (c === 0 ? "---" : "---:")).join("|")}|`;
  const list = (sentences: readonly string[]): string => sentences.map((sentence) => `- ${sentence}`).join("\n");
  return `${[line(head), rule, ...rows.map(line)].join("\n")}\n\n${list(comparisonLines(table))}\n\n${list(notes)}\n`;
}

/** The table for a spreadsheet: RFC 4180, one line a row, each estimate with its interval. */
export function tableCsv(table: Table2): string {
  const names = presentColumns(table);
  const spread = (name: string): string[] => [name, `${name}_low`, `${name}_high`];
  const distances = table.rows[0]?.distances ?? [];
  const head = [
    ...["sampler", "steps", "guidance", "networkCalls", ...spread("secondsPerImage"), "images"],
    ...distances.flatMap((_, n) => {
      const at = n === 0 ? "" : String(n + 1);
      return [
        `features${at}`,
        ...spread(`frechet${at}`),
        `frechetInfinity${at}`,
        `kernel${at}`,
        `conditionalFrechet${at}`,
        `inceptionScore${at}`,
      ];
    }),
    ...names.flatMap(spread),
  ];
  const numbers = (estimate: Estimate | undefined): string[] =>
    estimate === undefined ? ["", "", ""] : [estimate.value, estimate.low, estimate.high].map(String);
  const lines = table.rows.map((row) => [
    rowSampler(row.plan),
    String(row.plan.steps),
    String(row.plan.guidanceScale),
    String(row.time.networkCalls),
    ...numbers(row.time.secondsPerPicture),
    String(row.images),
    ...row.distances.flatMap(({ features, frechet, frechetInfinity, kernel, conditionalFrechet, inceptionScore }) => [
      features,
      ...numbers(frechet),
      ...[frechetInfinity, kernel, conditionalFrechet, inceptionScore].map((x) => (x === undefined ? "" : String(x))),
    ]),
    ...names.flatMap((name) => numbers(row.byCaption[name])),
  ]);
  const cell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return [head, ...lines].map((cells) => `${cells.map(cell).join(",")}\r\n`).join("");
}

/** The table as one JSON object: rows with plain numbers, and under `intervals` where each lies. */
export function tableJson(table: Table2, more: JsonObject): JsonObject {
  const reference = table.rows[table.reference];
  return {
    rows: table.rows.map(rowJson),
    reference: reference === undefined ? null : rowTitle(reference.plan),
    comparisons: table.comparisons.map(({ row, timesAsFast, frechet, byCaption }) => ({
      against: rowTitle(table.rows[row]!.plan),
      timesAsFast,
      frechet: frechet[0] ?? null,
      frechetByFeatures: frechet.map((verdict, n) => ({
        features: reference?.distances[n]?.features ?? "",
        verdict,
      })),
      ...byCaption,
    })),
    ...more,
  };
}

function rowJson({ plan, images, time, distances, byCaption }: Table2Row): JsonObject {
  const value = (name: CaptionColumn): number | null => byCaption[name]?.value ?? null;
  const interval = ({ low, high }: Estimate): readonly [number, number] => [low, high];
  const [first] = distances;
  const intervals: Record<string, readonly [number, number]> = {
    secondsPerImage: interval(time.secondsPerPicture),
    ...(first === undefined ? {} : { frechet: interval(first.frechet) }),
  };
  for (const [name, estimate] of Object.entries(byCaption) as [CaptionColumn, Estimate][])
    intervals[name] = interval(estimate);
  return {
    name: rowTitle(plan),
    sampler: plan.sampler,
    accelerated: plan.accelerated,
    steps: plan.steps,
    guidance: plan.guidanceScale,
    networkCalls: time.networkCalls,
    secondsPerImage: time.secondsPerPicture.value,
    secondsPerCall: time.secondsPerCall,
    frechet: first?.frechet.value ?? null,
    lpips: value("lpips"),
    lpipsTeacher: value("lpipsTeacher"),
    lpipsDiversity: value("lpipsDiversity"),
    clipScore: value("clipScore"),
    captionRetrieval: value("captionRetrieval"),
    features: first?.features ?? null,
    images,
    intervals,
    distances: distances.map(({ features, frechet, frechetInfinity, kernel, manifold, counts, ...more }) => ({
      features,
      counts,
      frechet: frechet.value,
      frechetInterval: interval(frechet),
      frechetInfinity: frechetInfinity ?? null,
      kernel,
      conditionalFrechet: more.conditionalFrechet ?? null,
      inceptionScore: more.inceptionScore ?? null,
      precision: manifold?.precision ?? null,
      recall: manifold?.recall ?? null,
      density: manifold?.density ?? null,
      coverage: manifold?.coverage ?? null,
    })),
  };
}
