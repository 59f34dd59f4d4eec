import type { CliContext } from "../src/cli/command.ts";
import { main } from "../src/cli/main.ts";

/** What a command line did. */
export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a test may want of the world otherwise. */
export interface CliWorld {
  readonly signal?: AbortSignal;
  readonly env?: Readonly<Record<string, string>>;
  /** A terminal of this width on both streams; none unless told. */
  readonly columns?: number;
  /** Told of each text on stderr. */
  readonly onStderr?: (text: string) => void;
}

/** Runs `fourstep` in this process. */
export async function runFourstep(args: readonly string[], world: CliWorld = {}): Promise<CliResult> {
  const { signal = new AbortController().signal, env = {}, columns } = world;
  const written = { stdout: "", stderr: "" };
  const stream = (name: "stdout" | "stderr") => ({
    write: (text: string): boolean => {
      written[name] += text;
      if (name === "stderr") world.onStderr?.(text);
      return true;
    },
    ...(columns === undefined ? {} : { isTTY: true, columns }),
  });
  const context: CliContext = { stdout: stream("stdout"), stderr: stream("stderr"), env, signal };
  const code = await main(args, context);
  return { code, ...written };
}
