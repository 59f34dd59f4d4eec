import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { CliContext } from "./command.ts";

/**
 * The process as a command sees it. The first Ctrl-C (or SIGTERM) aborts the signal, so that a command ends at its next
 * step; a second one ends the process at once.
 */
export function processContext(): CliContext {
  const stop = new AbortController();
  const onStop = (): void => {
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
  };
  process.on("SIGINT", onStop).on("SIGTERM", onStop);
  // A reader that has seen enough, such as `head`, is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
  return { stdout: process.stdout, stderr: process.stderr, env: process.env, signal: stop.signal };
}

/** Whether the module of this address is the script that Node was started with, also behind npm's links. */
export function isEntry(moduleUrl: string): boolean {
  const script = process.argv[1];
  return script !== undefined && realpathSync(script) === realpathSync(fileURLToPath(moduleUrl));
}
