import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { memoryOf } from "../large/watch-process.ts";

/** What one picture took, in seconds, as the contender itself says. */
export interface Picture {
  readonly seconds: number;
  readonly text: number;
  /** Of each call of the U-Net. */
  readonly steps: readonly number[];
  readonly vae: number;
  /** Standard deviation of the picture's bytes. */
  readonly spread: number;
}

/** What one process did, seen from outside. */
export interface ProcessRecord {
  readonly version: string | undefined;
  readonly pictures: readonly Picture[];
  readonly gflops: number | undefined;
  /** From the start of the process to its first picture, in seconds. */
  readonly coldStart: number | undefined;
  /** Most memory that was resident, in bytes: with mapped files, and without. */
  readonly peak: number;
  readonly peakPrivate: number;
}

type Event =
  | ({ readonly event: "picture" } & Picture)
  | { readonly event: "version"; readonly version: string }
  | { readonly event: "gemm"; readonly gflops: number }
  | { readonly event: "ready" };

/** How often memory is looked at; its maximum is kept by the system, so that only the last moment can be missed. */
const pollMs = 100;

/**
 * Runs a contender's process, which prints a JSON object a line.
 * @throws Error with the end of what it said when it fails
 */
export async function runContender(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<ProcessRecord> {
  const start = performance.now();
  const child = spawn(command, [...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let [peak, peakPrivate] = [0, 0];
  const look = (): void => {
    const { most, unmapped } = memoryOf(child.pid ?? 0);
    peak = Math.max(peak, most);
    peakPrivate = Math.max(peakPrivate, unmapped);
  };
  const polling = setInterval(look, pollMs);
  let version: string | undefined;
  let gflops: number | undefined;
  let coldStart: number | undefined;
  const pictures: Picture[] = [];
  const said: string[] = [];
  const hear = (line: string): void => {
    look();
    if (!line.startsWith('{"event"')) {
      said.push(line);
      return;
    }
    const event = JSON.parse(line) as Event;
    if (event.event === "version") version = event.version;
    if (event.event === "gemm") gflops = event.gflops;
    if (event.event !== "picture") return;
    coldStart ??= (performance.now() - start) / 1000;
    pictures.push(event);
  };
  createInterface(child.stdout).on("line", hear);
  createInterface(child.stderr).on("line", (line) => said.push(line));
  try {
    const code = await new Promise<number | string>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (status, signal) => resolve(status ?? signal ?? "an unknown end"));
    });
    if (code !== 0)
      throw new Error(
        `${
          said
            .filter((line) => line.trim() !== "")
            .slice(-3)
            .join(" / ") || "no word"
        } (exit ${code})`,
      );
  } finally {
    clearInterval(polling);
  }
  return { version, pictures, gflops, coldStart, peak, peakPrivate };
}
