import type { Picture, ProcessRecord } from "./contender.ts";

/** The autoencoders that pictures go through. */
export const autoencoders = ["kl", "tiny"] as const;
export type Autoencoder = (typeof autoencoders)[number];

/** Floating-point operations of one call of each network. */
export type Operations = Readonly<Record<"unet" | Autoencoder, number>>;

/** Medians of a contender with one autoencoder; seconds and bytes. */
export interface Row {
  readonly contender: string;
  readonly autoencoder: Autoencoder;
  /** Pictures that the medians are of; each process's first is left out where there are more. */
  readonly pictures: number;
  readonly picture: number;
  readonly step: number;
  readonly vae: number;
  readonly text: number;
  readonly coldStart: number;
  readonly peak: number;
  readonly peakPrivate: number;
  /** Of the processor's peak: what the U-Net reaches. */
  readonly share: number;
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * Medians over all rounds.
 * @param peak the processor's, in GFLOP/s
 */
export function summarise(
  contender: string,
  autoencoder: Autoencoder,
  records: readonly ProcessRecord[],
  operations: Operations,
  peak: number,
): Row {
  const pictures = records.flatMap((record): readonly Picture[] =>
    record.pictures.slice(record.pictures.length > 1 ? 1 : 0),
  );
  const of = (value: (picture: Picture) => number): number => median(pictures.map(value));
  const step = median(pictures.flatMap(({ steps }) => steps));
  return {
    contender,
    autoencoder,
    pictures: pictures.length,
    picture: of(({ seconds }) => seconds),
    step,
    vae: of(({ vae }) => vae),
    text: of(({ text }) => text),
    coldStart: median(records.map(({ coldStart }) => coldStart!)),
    peak: median(records.map((record) => record.peak)),
    peakPrivate: median(records.map((record) => record.peakPrivate)),
    share: operations.unet / step / 1e9 / peak,
  };
}

/** What a run found, as it is kept. */
export interface Result {
  readonly machine: { readonly processor: string; readonly cores: number; readonly threads: number };
  /** Runnable processes beside the measured one, at most, when a process was started. */
  readonly load: number;
  readonly work: { readonly size: number; readonly steps: number; readonly rounds: number; readonly pictures: number };
  readonly operations: Operations;
  readonly gemm: Readonly<Record<string, number>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
  readonly failures: Readonly<Record<string, string>>;
}

const names: Readonly<Record<Autoencoder, string>> = { kl: "full VAE", tiny: "TAESD" };
const gibibytes = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
const columns = [
  "autoencoder",
  "contender",
  "picture s",
  "ours / it",
  "U-Net s/step",
  "of peak",
  "autoencoder s",
  "text s",
  "cold start s",
  "memory GiB",
  "private GiB",
];

/** The table in Markdown, which people read on a terminal too; ratios below 1 say that ours is faster. */
export function markdownTable({ rows }: Pick<Result, "rows">): string {
  const cells = rows.map((row) => {
    const ours = rows.find((other) => other.contender === "ours" && other.autoencoder === row.autoencoder);
    return [
      names[row.autoencoder],
      row.contender,
      row.picture.toFixed(2),
      ours === undefined ? "" : (ours.picture / row.picture).toFixed(2),
      row.step.toFixed(2),
      `${(100 * row.share).toFixed(0)} %`,
      row.vae.toFixed(2),
      row.text.toFixed(2),
      row.coldStart.toFixed(1),
      gibibytes(row.peak),
      gibibytes(row.peakPrivate),
    ];
  });
  const all = [columns, ...cells];
  const widths = columns.map((_, i) => Math.max(...all.map((line) => line[i]!.length)));
  const line = (parts: readonly string[]): string =>
    `| ${parts.map((part, i) => (i < 2 ? part.padEnd(widths[i]!) : part.padStart(widths[i]!))).join(" | ")} |`;
  const rule = `|${widths.map((width, i) => (i < 2 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return [line(columns), rule, ...cells.map(line)].join("\n");
}

/** What must be known to read the table. */
export function conditions(result: Result): string[] {
  const { machine, work, gemm, versions, failures, load } = result;
  const peaks = Object.entries(gemm).map(([name, gflops]) => `${gflops.toFixed(0)} GFLOP/s by ${name}`);
  return [
    `${work.size}x${work.size}, ${work.steps} LCM steps, guidance 1, float32, ${machine.threads} threads on ${machine.processor} (${machine.cores} cores), medians of ${work.rounds} rounds.`,
    `Products of 2048 x 2048 matrices in the same run: ${peaks.join(", ")}; the better is the peak that shares are of.`,
    `Contenders: ${Object.values(versions).join("; ")}.`,
    ...(load > 0.5
      ? [
          `**Measured under load** (up to ${load.toFixed(1)} other runnable processes): only ratios mean anything, and little.`,
        ]
      : []),
    ...Object.entries(failures).map(([peer, reason]) => `${peer} could not run here: ${reason}`),
  ];
}
