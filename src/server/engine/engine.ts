import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { RuntimeFailure } from "../../errors.ts";
import { allocatorIsUnset, allocatorSettings } from "../../node/allocator.ts";
import type { EngineJob, EngineQuestion, EngineReport } from "./messages.ts";

/** The engine's process ended while it drew. */
export class EngineCrash extends RuntimeFailure {
  /** The signal that ended it, such as SIGSEGV of broken native code, or SIGKILL of a system without memory. */
  readonly signal: NodeJS.Signals | null;

  constructor(code: number | null, signal: NodeJS.Signals | null) {
    super(`The engine broke down while it drew (${signal ?? `exit code ${code}`}); it was started again.`);
    this.signal = signal;
  }
}

/** A process that is let go ends by itself within so long, or is ended. */
const endMs = 5000;

export type EngineDone = Extract<EngineReport, { readonly kind: "done" }>;

/** The engine in a process of its own, which is started when it is first needed, and again after a breakdown. */
export interface Engine {
  /**
   * Draws jobs, one call after another.
   * @throws EngineCrash when the process ends before it is done
   */
  draw(jobs: readonly EngineJob[], batch: number, listener: (report: EngineReport) => void): Promise<EngineDone>;
  cancel(job: string): void;
  /** Ends the process, however busy it is. */
  kill(): void;
  /** How often it was started. */
  readonly starts: number;
  readonly pid: number | undefined;
  close(): Promise<void>;
}

/** @param onOutput is given what the process writes on stderr */
export function createEngine(onOutput: (text: string) => void): Engine {
  let child: ChildProcess | undefined;
  let starts = 0;
  const ready = new WeakSet<ChildProcess>();
  /** What was cancelled while the process loads. */
  let early: Set<string> | undefined;

  const running = (): ChildProcess => {
    if (child !== undefined) return child;
    const started = startProcess();
    starts++;
    started.on("message", (report: EngineReport) => {
      if (report.kind === "ready") ready.add(started);
    });
    started.stderr?.setEncoding("utf8").on("data", onOutput);
    // What cannot be sent is answered by the exit that follows.
    started.on("error", (error) => onOutput(error.message));
    started.on("exit", () => {
      if (child === started) child = undefined;
    });
    child = started;
    return started;
  };
  const ask = (to: ChildProcess, question: EngineQuestion): void => {
    if (to.connected) to.send(question);
  };

  return {
    draw(jobs, batch, listener) {
      const drawing = running();
      return new Promise<EngineDone>((resolve, reject) => {
        const onExit = (code: number | null, signal: NodeJS.Signals | null): void => {
          drawing.off("message", onMessage);
          reject(new EngineCrash(code, signal));
        };
        const onMessage = (report: EngineReport): void => {
          // What is sent while the process still loads may be lost.
          if (report.kind === "ready") question();
          if (report.kind !== "done") {
            listener(report);
            return;
          }
          drawing.off("message", onMessage).off("exit", onExit);
          resolve(report);
        };
        const question = (): void => {
          ask(drawing, { kind: "draw", jobs, batch });
          for (const { id } of jobs) if (cancelled.has(id)) ask(drawing, { kind: "cancel", job: id });
        };
        const cancelled = new Set<string>();
        early = ready.has(drawing) ? undefined : cancelled;
        drawing.on("message", onMessage).on("exit", onExit);
        if (ready.has(drawing)) question();
      });
    },
    cancel(job) {
      early?.add(job);
      if (child !== undefined && ready.has(child)) ask(child, { kind: "cancel", job });
    },
    kill() {
      child?.kill("SIGKILL");
    },
    get starts() {
      return starts;
    },
    get pid() {
      return child?.pid;
    },
    async close() {
      const closing = child;
      if (closing === undefined) return;
      const ended = new Promise<void>((resolve) => closing.once("exit", () => resolve()));
      if (closing.connected) closing.disconnect();
      else closing.kill("SIGKILL");
      const patience = setTimeout(() => closing.kill("SIGKILL"), endMs);
      await ended;
      clearTimeout(patience);
    },
  };
}

/** Built, the process runs JavaScript; from source, TypeScript with the loader that its parent has. */
function startProcess(): ChildProcess {
  const fromSource = import.meta.url.endsWith(".ts");
  const file = fileURLToPath(new URL(`./engine.process${fromSource ? ".ts" : ".js"}`, import.meta.url));
  return fork(file, [], {
    serialization: "advanced",
    execArgv: fromSource ? ["--import", "tsx"] : [],
    env: { ...process.env, ...(allocatorIsUnset() ? allocatorSettings : {}) },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
}
