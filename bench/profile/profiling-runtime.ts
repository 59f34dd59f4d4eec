import { readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type OnnxRuntimeOptions, onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import type { Runtime, Session } from "../../src/runtime/runtime.ts";

/** One kernel of the runtime's last call, as the runtime itself reports it. */
export interface KernelCall {
  readonly type: string;
  readonly microseconds: number;
  readonly inputs: readonly (readonly number[])[];
  readonly outputs: readonly (readonly number[])[];
}

export interface ProfilingRuntime extends Runtime {
  /** The kernels of the last run of the graph that was compiled last, and the whole run's microseconds. */
  lastRun(): Promise<{ readonly kernels: readonly KernelCall[]; readonly microseconds: number }>;
}

export interface ProfilingOptions extends Pick<OnnxRuntimeOptions, "threads" | "prepack" | "disabledOptimizers"> {
  /** Whether weights are brought into the layouts that kernels like; as the program chooses, unless told. */
  readonly layouts: boolean | undefined;
}

interface TraceEvent {
  readonly cat: string;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly args?: Readonly<Record<string, unknown>>;
}

/** The shapes of a trace, each an object of one entry whose value is the shape. */
const shapesOf = (list: unknown): (readonly number[])[] =>
  ((list ?? []) as readonly Record<string, readonly number[]>[]).map((entry) => Object.values(entry)[0] ?? []);

function kernelsOf(events: readonly TraceEvent[]): { readonly kernels: KernelCall[]; readonly microseconds: number } {
  const run = events.filter(({ cat, name }) => cat === "Session" && name === "model_run").at(-1);
  if (run === undefined) throw new Error("The runtime's trace holds no run.");
  const kernels = events
    .filter(
      ({ cat, name, ts }) => cat === "Node" && name.endsWith("_kernel_time") && ts >= run.ts && ts <= run.ts + run.dur,
    )
    .map(({ dur, args }) => ({
      type: String(args?.["op_name"]),
      microseconds: dur,
      inputs: shapesOf(args?.["input_type_shape"]),
      outputs: shapesOf(args?.["output_type_shape"]),
    }));
  return { kernels, microseconds: run.dur };
}

/** The runtime with its profiler on, for graphs that come one after the other. */
export function profilingRuntime({ layouts, ...options }: ProfilingOptions): ProfilingRuntime {
  const folder = tmpdir();
  const prefix = `fourstep-profile-${process.pid}`;
  const runtime = onnxRuntime({ ...options, profile: join(folder, prefix) });
  let last: Session | undefined;
  return {
    device: runtime.device,
    async compile(model, given = {}) {
      last = await runtime.compile(model, { ...given, ...(layouts === undefined ? {} : { layouts }) });
      return last;
    },
    async lastRun() {
      // The trace is written when the session goes.
      await last?.dispose();
      const file = (await readdir(folder))
        .filter((name) => name.startsWith(prefix))
        .sort()
        .at(-1);
      if (file === undefined) throw new Error("The runtime wrote no trace.");
      const path = join(folder, file);
      const events = JSON.parse(await readFile(path, "utf8")) as TraceEvent[];
      await rm(path);
      return kernelsOf(events);
    },
    dispose: () => runtime.dispose(),
  };
}
