import { readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import type { Runtime, Session } from "../../src/runtime/runtime.ts";
import { float32, type Tensor } from "../../src/tensor/tensor.ts";

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

export interface ProfilingOptions {
  readonly threads: number;
  readonly prepack: boolean;
  readonly level: "disabled" | "basic" | "extended" | "layout" | "all";
  readonly disabledOptimizers: readonly string[];
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

/** ONNX Runtime with its profiler on, for graphs of float32 that come one after the other. */
export function profilingRuntime({ threads, prepack, level, disabledOptimizers }: ProfilingOptions): ProfilingRuntime {
  let last: ort.InferenceSession | undefined;
  const folder = tmpdir();
  const prefix = `fourstep-profile-${process.pid}`;
  return {
    device: "cpu",
    async compile(model, { folder: files } = {}): Promise<Session> {
      const session: Record<string, string> = { disable_prepacking: prepack ? "0" : "1" };
      if (files !== undefined) session["model_external_initializers_file_folder_path"] = files;
      const created = await ort.InferenceSession.create(model.bytes, {
        executionProviders: ["cpu"],
        graphOptimizationLevel: level,
        enableProfiling: true,
        profileFilePrefix: join(folder, prefix),
        ...(model.constants.length > 0 ? { externalData: [...model.constants] } : {}),
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        extra: {
          session,
          ...(disabledOptimizers.length > 0
            ? { optimization: { disable_specified_optimizers: disabledOptimizers.join(";") } }
            : {}),
        },
      });
      last = created;
      return {
        inputs: model.inputs,
        outputs: model.outputs,
        async run(inputs) {
          const feeds = Object.fromEntries(
            model.inputs.map((name) => {
              const { type, data, shape } = inputs[name]!;
              return [name, new ort.Tensor(type as "float32", data as Float32Array, shape)];
            }),
          );
          const results = await created.run(feeds);
          return Object.fromEntries(
            Object.entries(results).map(([name, { dims, data }]): [string, Tensor] => [
              name,
              float32(dims, data as Float32Array),
            ]),
          );
        },
        dispose: () => created.release(),
      };
    },
    async lastRun() {
      last?.endProfiling();
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
    async dispose() {},
  };
}
