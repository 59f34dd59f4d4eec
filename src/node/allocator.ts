import { spawn } from "node:child_process";
import { readdir, stat } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";

/**
 * glibc gives large blocks back to the system when they are freed and clears them anew when they are asked for; training
 * frees and asks for the same blocks at each step. Kept at hand, copying 64 MB of results takes 18 instead of 113 ms. In
 * large pages, making the weights of Stable Diffusion 1.5 ready takes 2.1 instead of 5.9 s. The allocator reads these when
 * a process begins, so they cannot be set from within.
 */
export const allocatorSettings: Readonly<Record<string, string>> = {
  MALLOC_MMAP_THRESHOLD_: "4294967296",
  MALLOC_TRIM_THRESHOLD_: "17179869184",
  GLIBC_TUNABLES: "glibc.malloc.hugetlb=1",
};

const forwarded = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Whether this process would gain from a restart: on Linux, where nobody has set the allocator yet. */
export function allocatorIsUnset(): boolean {
  return (
    process.platform === "linux" && !Object.keys(allocatorSettings).some((name) => process.env[name] !== undefined)
  );
}

/**
 * Runs this very command line again with the allocator set, and stands in for it: signals go there, output comes from
 * there, and neither lives on without the other.
 * @returns the exit code, 128 plus its number where a signal ended the process
 */
export async function restartWithAllocator(): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    env: { ...process.env, ...allocatorSettings },
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    // In a group of its own a Ctrl-C reaches it once, through this process, and not twice.
    detached: true,
  });
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of forwarded) process.on(signal, forward);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", (code, signal) => resolve(code ?? 128 + constants.signals[signal!]));
    });
  } finally {
    for (const signal of forwarded) process.off(signal, forward);
  }
}

/** Weights below this many bytes are made ready in less time than a restart takes. */
const largeWeights = 2 ** 30;

/**
 * Runs this command line again with the allocator set, unless that was done or the model is small, and ends this process
 * when that one ends.
 * @param model a folder as diffusers writes it, or a file
 */
export async function restartForModel(model: string): Promise<void> {
  if (allocatorIsUnset() && (await weightBytes(model)) >= largeWeights) process.exit(await restartWithAllocator());
  endWithStandIn();
}

/** Size of a file, or of all files in a folder and the folders in it. */
async function weightBytes(path: string): Promise<number> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isDirectory() !== true) return info?.size ?? 0;
  let bytes = 0;
  for (const name of await readdir(path)) bytes += await weightBytes(join(path, name));
  return bytes;
}

/** In a process that was started so: ends it when the one that stands in for it is gone, however that ended. */
export function endWithStandIn(): void {
  if (!process.connected) return;
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
  // Waiting for that must not keep the process alive.
  process.channel?.unref();
}
