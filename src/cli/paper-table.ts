import { parameterTable, type TableRow } from "../adapters/count.ts";
import type { CliContext } from "./command.ts";

/** Rank of the published LCM-LoRAs. */
const publishedRank = 64;

/** What the paper's Table 1 says, by its names of models, and what its full number seems to count. */
const printed: Readonly<Record<string, PrintedRow>> = {
  "SD-V1.5": {
    full: "0.98B",
    lora: "67.5M",
    counted: "its U-Net and text encoder",
    count: ({ full, textEncoders }) => full + textEncoders,
  },
  "SSD-1B": { full: "1.3B", lora: "105M", counted: "its U-Net", count: ({ full }) => full },
  SDXL: {
    full: "3.5B",
    lora: "197M",
    counted: "its U-Net, both text encoders and autoencoder",
    count: ({ full, textEncoders, autoencoder }) => full + textEncoders + autoencoder,
  },
};

interface PrintedRow {
  readonly full: string;
  readonly lora: string;
  readonly counted: string;
  count(row: TableRow): number;
}

/** A counted row beside what the paper prints. */
export interface ExplainedRow extends TableRow {
  readonly paper: {
    readonly full: string;
    readonly lora: string;
    /** Parts whose parameters round to the paper's full number. */
    readonly counted: string;
    readonly parameters: number;
    /** Size of an LCM-LoRA of two bytes a number, in whole megabytes: half of it is the paper's number. */
    readonly megabytes: number;
  };
}

/** The paper's Table 1, counted, with what its rounded numbers mean. */
export function explainedTable(): readonly ExplainedRow[] {
  return parameterTable(publishedRank).map((row) => {
    const { full, lora, counted, count } = printed[row.model]!;
    const megabytes = Math.round((2 * row.lora) / 1e6);
    return { ...row, paper: { full, lora, counted, parameters: count(row), megabytes } };
  });
}

/** Prints it: `fourstep inspect --table1`. */
export function printTable(json: boolean, { stdout }: CliContext): void {
  const rows = explainedTable();
  stdout.write(json ? `${JSON.stringify({ rank: publishedRank, rows })}\n` : `${tableLines(rows).join("\n")}\n`);
}

/** The table and its explanation for people. */
function tableLines(rows: readonly ExplainedRow[]): string[] {
  const columns = (cells: readonly [string, string, string, string]): string =>
    `${cells[0].padEnd(8)}${cells[1].padStart(16)}${cells[2].padStart(14)}${cells[3].padStart(9)}`;
  const explained = rows.map(
    ({ model, paper }) => `  ${model}: ${paper.full} is ${paper.counted}, ${grouped(paper.parameters)}`,
  );
  const sizes = rows.map(({ paper }) => `${paper.megabytes} MB for ${paper.lora}`).join(", ");
  return [
    `Table 1 of the paper, counted from the configurations; LCM-LoRA of rank ${publishedRank}`,
    "",
    columns(["model", "U-Net", "LCM-LoRA", "modules"]),
    ...rows.map(({ model, full, lora, modules }) => columns([model, grouped(full), grouped(lora), String(modules)])),
    "",
    "The paper's full parameters are rounded, and of different parts:",
    ...explained,
    `Its trainable parameters are half of the files' sizes, at two bytes a number: ${sizes}.`,
  ];
}

function grouped(number: number): string {
  return number.toLocaleString("en-US");
}
