#!/usr/bin/env node
import "../node/no-telemetry.ts";
import { packageVersion } from "../node/package-version.ts";
import type { CliCommand, CliContext } from "./command.ts";
import { compareCommand } from "./commands/compare.ts";
import { evaluateCommand } from "./commands/evaluate.ts";
import { extractCommand } from "./commands/extract.ts";
import { figureCommand } from "./commands/figure.ts";
import { generateCommand } from "./commands/generate.ts";
import { inspectCommand } from "./commands/inspect.ts";
import { mergeCommand } from "./commands/merge.ts";
import { serveCommand } from "./commands/serve.ts";
import { trainCommand } from "./commands/train.ts";
import { workerCommand } from "./commands/worker.ts";
import { isEntry, processContext } from "./process-context.ts";
import { runCli } from "./run-cli.ts";

/** Every verb, in the order of the help. */
const commands: readonly CliCommand[] = [
  generateCommand, //
  inspectCommand,
  mergeCommand,
  extractCommand,
  compareCommand,
  trainCommand,
  evaluateCommand,
  figureCommand,
  serveCommand,
  workerCommand,
];

/** Runs `fourstep` with these words; gives the exit code. */
export function main(args: readonly string[], context: CliContext): Promise<number> {
  return runCli(commands, args, context, packageVersion());
}

if (isEntry(import.meta.url)) process.exitCode = await main(process.argv.slice(2), processContext());
