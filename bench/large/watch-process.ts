import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/** What a process did, seen from outside. */
export interface Watched {
  /** What it wrote to its standard output. */
  readonly output: string;
  readonly seconds: number;
  /** Most memory that was resident, in bytes: with mapped files, and without. */
  readonly peak: number;
  readonly peakPrivate: number;
}

/** How often memory is looked at; the maximum is kept by the system, so that only the last moment can be missed. */
const pollMs = 100;
const kibibyte = 1024;

/** Resident memory of a process from /proc; zeros where there is none. */
export function memoryOf(pid: number): { readonly most: number; readonly unmapped: number } {
  let status = "";
  try {
    status = readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    // The process has ended, or this is no Linux.
  }
  const field = (name: string): number =>
    kibibyte * Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  return { most: field("VmHWM"), unmapped: field("RssAnon") };
}

/**
 * Runs a program to its end.
 * @throws Error with the end of what it said when it fails
 */
export function watchProcess(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Watched> {
  const start = performance.now();
  const child = spawn(program, [...args], { env, stdio: ["ignore", "pipe", "inherit"] });
  let [peak, peakPrivate] = [0, 0];
  const polling = setInterval(() => {
    const { most, unmapped } = memoryOf(child.pid ?? 0);
    peak = Math.max(peak, most);
    peakPrivate = Math.max(peakPrivate, unmapped);
  }, pollMs);
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    output += piece;
  });
  return new Promise((done, fail) => {
    child.on("error", fail).on("close", (code) => {
      clearInterval(polling);
      if (code === 0) done({ output, seconds: (performance.now() - start) / 1000, peak, peakPrivate });
      else fail(new Error(`the program ended with ${code}: ${output.slice(-300)}`));
    });
  });
}
