import { Command, CommanderError } from "commander";
import { FourstepError, RuntimeFailure } from "../errors.ts";
import type { CliCommand, CliContext } from "./command.ts";

/** What a shell is told; see the command line's contract. */
export const exitCodes = { done: 0, failed: 1, usage: 2, stopped: 130 } as const;

/**
 * Runs one command line.
 * @param args the words after the program's name
 * @returns the exit code; whatever went wrong has been said on stderr in one sentence
 */
export async function runCli(
  commands: readonly CliCommand[],
  args: readonly string[],
  context: CliContext,
  version: string,
): Promise<number> {
  const program = new Command("fourstep")
    .description("Stable Diffusion in four steps: draws, trains and combines LCM-LoRA.")
    .version(version, "-V, --version")
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: false });
  // A verb takes over these settings when it is added.
  program.exitOverride().configureOutput({
    writeOut: (text) => context.stdout.write(text),
    writeErr: (text) => context.stderr.write(text),
    outputError: (text, write) => write(`fourstep: ${oneLine(text.replace(/^error: /, ""))}\n`),
  });
  for (const add of commands) add(program, context);
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCodes.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    if (isAbort(error, context.signal)) {
      context.stderr.write("fourstep: stopped.\n");
      return exitCodes.stopped;
    }
    context.stderr.write(`fourstep: ${oneLine(error instanceof Error ? error.message : String(error))}\n`);
    return exitCodeOf(error);
  }
}

/** Whether an error only says that the user pressed Ctrl-C. */
function isAbort(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted && (error === signal.reason || (error instanceof Error && error.name === "AbortError"));
}

/** Everything that is wrong with what was given is usage; the runtime's and our own failures are not. */
function exitCodeOf(error: unknown): number {
  return error instanceof FourstepError && !(error instanceof RuntimeFailure) ? exitCodes.usage : exitCodes.failed;
}

function oneLine(text: string): string {
  return text.trim().replace(/\s+/g, " ");
}
