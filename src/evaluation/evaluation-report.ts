import type { JsonObject } from "../formats/json.ts";
import { base64, escapeText, settingsTable } from "../training/report-parts.ts";
import { reportStyle } from "../training/report-style.ts";
import type { Estimate } from "./bootstrap.ts";
import { drawScatter, scatterStyle } from "./scatter.ts";
import type { CaptionColumn, Table2, Table2Row } from "./table2.ts";
import { rowTitle } from "./table2-plan.ts";
import { columnTitles, comparisonLines, presentColumns, tableCells } from "./table2-text.ts";

/** A picture of pictures in a report. */
export interface ReportSheet {
  readonly caption: string;
  /** A PNG file. */
  readonly png: Uint8Array;
}

/** What a report on an evaluation is made of. */
export interface EvaluationReport {
  readonly title: string;
  readonly table: Table2;
  readonly notes: readonly string[];
  readonly sheets: readonly ReportSheet[];
  readonly settings: JsonObject;
}

const style = `${scatterStyle}
.numbers { overflow-x: auto; } .numbers th, .numbers td { white-space: nowrap; width: auto; text-align: right; }
.numbers th:first-child, .numbers td:first-child { text-align: left; color: var(--text); }
.numbers .own td { font-weight: 600; }
small { color: var(--soft); font-weight: 400; }
.numbers small { display: block; }
li { margin: 3px 0; }
`;

/** An HTML page on an evaluation that needs no other file: table, comparisons, plots, sheets and all settings. */
export function evaluationReport({ title, table, notes, sheets, settings }: EvaluationReport): string {
  const list = (sentences: readonly string[]): string =>
    `<ul>${sentences.map((sentence) => `<li>${escapeText(sentence)}</li>`).join("")}</ul>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(title)}</title>
<style>${reportStyle}${style}</style>
</head>
<body>
<main>
<h1>${escapeText(title)}</h1>
<section><h2>Table</h2><div class="numbers">${htmlTable(table)}</div>${list(notes)}</section>
<section><h2>Comparisons</h2>${list(comparisonLines(table))}</section>
<section><h2>Quality against cost</h2><div class="charts">${plots(table).join("\n")}</div></section>
<section><h2>Pictures</h2>${sheets.map(drawSheet).join("\n")}</section>
<section><h2>Settings</h2>${settingsTable(settings)}</section>
</main>
</body>
</html>
`;
}

function htmlTable(table: Table2): string {
  const [head = [], ...rows] = tableCells(table);
  const cell = (text: string): string => escapeText(text).replace(/ (\[.*\])$/, " <small>$1</small>");
  const lines = rows.map(
    (cells, r) =>
      `<tr${r === table.reference ? ' class="own"' : ""}>${cells.map((text) => `<td>${cell(text)}</td>`).join("")}</tr>`,
  );
  return `<table><tr>${head.map((text) => `<th>${escapeText(text)}</th>`).join("")}</tr>${lines.join("")}</table>`;
}

/** Each measure against network calls and against time. */
function plots(table: Table2): string[] {
  const costs: readonly (readonly [string, (row: Table2Row) => number])[] = [
    ["network calls per picture", ({ time }) => time.networkCalls],
    ["seconds per picture", ({ time }) => time.secondsPerPicture.value],
  ];
  const distances = table.rows[0]?.distances ?? [];
  const measures: readonly (readonly [string, (row: Table2Row) => Estimate | undefined])[] = [
    ...distances.map(
      ({ features }, n) =>
        [`Frechet distance, ${features}; small is good`, (row: Table2Row) => row.distances[n]?.frechet] as const,
    ),
    ...presentColumns(table).map(
      (name: CaptionColumn) => [columnTitles[name], (row: Table2Row) => row.byCaption[name]] as const,
    ),
  ];
  return measures.flatMap(([name, measure]) =>
    costs.map(([across, cost]) => {
      const points = table.rows.flatMap((row) => {
        const y = measure(row);
        return y === undefined ? [] : [{ name: rowTitle(row.plan), x: cost(row), y, strong: row.plan.accelerated }];
      });
      return `<figure><figcaption>${escapeText(name)}</figcaption>${drawScatter({ across, points })}</figure>`;
    }),
  );
}

function drawSheet({ caption, png }: ReportSheet): string {
  const text = escapeText(caption);
  return `<figure><figcaption>${text}</figcaption><img class="sheet" alt="${text}" src="data:image/png;base64,${base64(png)}"></figure>`;
}
