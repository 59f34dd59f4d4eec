import type { Command } from "commander";

/** Where a command writes to. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** What a command may use of the world; tests give their own. */
export interface CliContext {
  /** Results alone: with `--json` one object, else the lines that a script would want. */
  readonly stdout: TextStream;
  /** Progress, warnings and errors. */
  readonly stderr: TextStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted when the user presses Ctrl-C; commands stop at the next step. */
  readonly signal: AbortSignal;
}

/** Adds one verb to the program: its arguments, its help, and an action that loads what it needs when it runs. */
export type CliCommand = (program: Command, context: CliContext) => void;

/** One warning, as one line on stderr. */
export function warn({ stderr }: CliContext, sentence: string): void {
  stderr.write(`warning: ${sentence}\n`);
}
