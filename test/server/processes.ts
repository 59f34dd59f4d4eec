import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { until } from "../running-server.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** `fourstep` in a process of its own, which can be killed. */
export interface Fourstep {
  readonly child: ChildProcess;
  readonly stderr: () => string;
  /** Ends it at once, as a power cut would. */
  kill(): Promise<void>;
  /** Asks it to end; gives its exit code. */
  stop(): Promise<number | null>;
}

/** Starts `fourstep` from source with these words. */
export function startFourstep(args: readonly string[]): Fourstep & { readonly stdout: () => string } {
  const child = spawn(process.execPath, ["--import", "tsx", "src/cli/main.ts", ...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const texts = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (texts.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (texts.stderr += text));
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  return {
    child,
    stdout: () => texts.stdout,
    stderr: () => texts.stderr,
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
    stop() {
      child.kill("SIGTERM");
      return ended;
    },
  };
}

export interface ServingFourstep extends Fourstep {
  readonly url: string;
}

/** Starts `fourstep serve` on a free port, and waits until it listens. */
export async function startServe(args: readonly string[]): Promise<ServingFourstep> {
  const fourstep = startFourstep(["serve", "--port", "0", "--json", ...args]);
  const line = await until(() => {
    if (fourstep.child.exitCode !== null) throw new Error(`The server ended: ${fourstep.stderr()}`);
    return fourstep.stdout().includes("\n") && fourstep.stdout();
  });
  return { ...fourstep, url: (JSON.parse(line) as { url: string }).url };
}

/** Whether Redis's server is installed. */
export const hasRedis: boolean = spawnSync("redis-server", ["--version"]).status === 0;

/** A Redis for one test, which keeps nothing on the disk. */
export async function startRedis(port: number): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const child = spawn(
    "redis-server",
    ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
    {
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (more: string) => (text += more));
  const ended = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  await until(() => {
    if (child.exitCode !== null) throw new Error(`Redis ended: ${text}`);
    return /ready to accept connections/i.test(text);
  });
  return {
    url: `redis://127.0.0.1:${port}`,
    async stop() {
      child.kill("SIGTERM");
      await ended;
    },
  };
}

/** A free port of this machine. */
export async function freePort(): Promise<number> {
  const { createServer } = await import("node:net");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
