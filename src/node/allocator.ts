import { spawn } from "node:child_process";
import { constants } from "node:os";

/**
 * glibc gives large blocks back to the system when they are freed and clears them anew when they are asked for; training
 * frees and asks for the same blocks at each step. Kept at hand, copying 64 MB of results takes 18 instead of 113 ms. The
 * allocator reads these when a process begins, so they cannot be set from within.
 */
const settings = { MALLOC_MMAP_THRESHOLD_: "4294967296", MALLOC_TRIM_THRESHOLD_: "17179869184" } as const;

const forwarded = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Whether this process would gain from a restart: on Linux, where nobody has set the allocator yet. */
export function allocatorIsUnset(): boolean {
  return process.platform === "linux" && !Object.keys(settings).some((name) => process.env[name] !== undefined);
}

/**
 * Runs this very command line again with the allocator set, and stands in for it: signals go there, output comes from
 * there, and neither lives on without the other.
 * @returns the exit code, 128 plus its number where a signal ended the process
 */
export async function restartWithAllocator(): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    env: { ...process.env, ...settings },
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

/** In a process that was started so: ends it when the one that stands in for it is gone, however that ended. */
export function endWithStandIn(): void {
  if (!process.connected) return;
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
  // Waiting for that must not keep the process alive.
  process.channel?.unref();
}
