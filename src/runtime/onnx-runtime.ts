import * as ort from "#ort";
import { RuntimeFailure } from "../errors.ts";
import type { OnnxModel } from "../graph/encode.ts";
import { OnnxSession, type Prepared, type SessionParts, sentence, toOrt } from "./onnx-session.ts";
import type { CompileOptions, Device, Runtime, Session } from "./runtime.ts";

export interface OnnxRuntimeOptions {
  readonly device: Device;
  /** Threads inside one operation; 0 lets the runtime take one per core. */
  readonly threads: number;
  /** Copies constants into the layout that its kernels prefer: faster, for as much memory again. */
  readonly prepack: boolean;
  /** Passes of the graph optimiser that must not run, by the runtime's own names. */
  readonly disabledOptimizers: readonly string[];
  /** Beginning of the files that each session writes, when it is disposed, on what its operations took; none, unless told. */
  readonly profile?: string;
}

export const onnxRuntimeDefaults: OnnxRuntimeOptions = {
  device: "cpu",
  threads: 0,
  prepack: true,
  disabledOptimizers: [],
};

/** The runtime's name of each device: a browser's `cpu` is WebAssembly. */
const providerOf = (device: Device): string => {
  if (device === "cpu")
    return ort.env.versions.web !== undefined && ort.env.versions.node === undefined ? "wasm" : "cpu";
  return device === "directml" ? "dml" : device;
};

type NativeOptions = NonNullable<Parameters<typeof ort.InferenceSession.create>[1]>;

/** Whether a model compiled with these options is the same as one before, down to what its constants hold. */
function isSame(before: SessionParts | undefined, model: OnnxModel, options: CompileOptions): boolean {
  return (
    before !== undefined &&
    before.options.folder === options.folder &&
    before.options.layouts === options.layouts &&
    sameModel(before.model, model)
  );
}

function sameModel(a: OnnxModel, b: OnnxModel): boolean {
  const [given, other] = [[...(a.given?.values() ?? [])], [...(b.given?.values() ?? [])]];
  return (
    given.length === other.length &&
    given.every(({ data }, i) => data === other[i]!.data) &&
    a.constants.length === b.constants.length &&
    a.constants.every(({ data }, i) => data === b.constants[i]!.data) &&
    a.bytes.length === b.bytes.length &&
    a.bytes.every((byte, i) => byte === b.bytes[i])
  );
}

/**
 * ONNX Runtime in this thread. A run blocks the thread in Node: programs that must stay responsive use the worker
 * (`node/worker-runtime.ts`), which has the same interface.
 */
export function onnxRuntime(options: Partial<OnnxRuntimeOptions> = {}): Runtime {
  const { device, threads, prepack, disabledOptimizers, profile } = { ...onnxRuntimeDefaults, ...options };
  const open = new Set<OnnxSession>();

  const nativeOptions = (
    model: OnnxModel,
    { folder, layouts = true, reserve = true }: CompileOptions,
    level: NativeOptions["graphOptimizationLevel"] = layouts ? "all" : "basic",
  ): NativeOptions => {
    if (model.files.length > 0 && folder === undefined)
      throw new RuntimeFailure(
        `The model reads ${model.files.join(", ")} in place; say in which folder these files lie.`,
      );
    const session: Record<string, string> = { disable_prepacking: prepack && layouts ? "0" : "1" };
    if (folder !== undefined) session["model_external_initializers_file_folder_path"] = folder;
    return {
      executionProviders: [providerOf(device)],
      graphOptimizationLevel: level,
      executionMode: "sequential",
      enableMemPattern: reserve,
      // What goes wrong is thrown; the runtime need not print it too.
      logSeverityLevel: 4,
      ...(model.constants.length > 0 ? { externalData: [...model.constants] } : {}),
      ...(threads > 0 ? { intraOpNumThreads: threads, interOpNumThreads: 1 } : {}),
      extra: {
        session,
        ...(disabledOptimizers.length > 0
          ? { optimization: { disable_specified_optimizers: disabledOptimizers.join(";") } }
          : {}),
      },
    };
  };
  const create = (model: OnnxModel, compileOptions: CompileOptions): Promise<ort.InferenceSession> =>
    ort.InferenceSession.create(model.bytes, {
      ...nativeOptions(model, compileOptions),
      ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
    });

  /** Results of a model's preparations; those of other sessions serve again where nothing of theirs differs. */
  const prepare = async (model: OnnxModel, { folder }: CompileOptions, before: Reusable): Promise<Prepared> => {
    const prepared = new Map<string, ort.Tensor>();
    for (const preparation of model.preparations ?? []) {
      const known = before.find((one) => sameModel(one.preparation, preparation));
      let results = known?.results;
      if (results === undefined) {
        // Unoptimised: the optimiser would compute what is constant, which is all of it, by itself and in one thread.
        const options = nativeOptions(
          preparation,
          { ...(folder === undefined ? {} : { folder }), layouts: false },
          "disabled",
        );
        // Without an arena, what a preparation took is there for the next.
        const session = await ort.InferenceSession.create(preparation.bytes, { ...options, enableCpuMemArena: false });
        try {
          const feeds = Array.from(preparation.given ?? [], ([name, tensor]) => [name, toOrt(name, tensor)] as const);
          results = await session.run(Object.fromEntries(feeds), preparation.outputs);
        } finally {
          await session.release();
        }
      }
      for (const name of preparation.outputs) prepared.set(name, results[name] as ort.Tensor);
    }
    return prepared;
  };

  return {
    device,
    async compile(model: OnnxModel, compileOptions: CompileOptions = {}): Promise<Session> {
      const { replacing, ...wishes } = compileOptions;
      let parts = replacing instanceof OnnxSession ? replacing.takeApart() : undefined;
      if (parts === undefined) await replacing?.dispose();
      let native = isSame(parts, model, wishes) ? parts?.native : undefined;
      try {
        if (native === undefined) await parts?.native.release();
        const others = [...open].map(({ made }) => made);
        const before = [parts, ...others].flatMap((one) => reusable(one, model, wishes));
        // What does not serve again is freed before more is made.
        parts = undefined;
        const prepared = await prepare(model, wishes, before);
        native ??= await create(model, wishes);
        const result = new OnnxSession({ model, options: wishes, native, prepared }, (one) => open.delete(one));
        open.add(result);
        return result;
      } catch (error) {
        await native?.release();
        if (error instanceof RuntimeFailure) throw error;
        throw new RuntimeFailure(`The graph could not be compiled for ${device}: ${sentence(error)}`, { cause: error });
      }
    },
    async dispose(): Promise<void> {
      await Promise.all([...open].map((session) => session.dispose()));
    },
  };
}

/** Preparations whose results are at hand. */
type Reusable = readonly {
  readonly preparation: OnnxModel;
  readonly results: Readonly<Record<string, ort.Tensor>>;
}[];

/**
 * What a session has that a new one needs too, such as one of another size. Where it is replaced, all else may be freed
 * before the new one is made.
 */
function reusable(parts: SessionParts | undefined, model: OnnxModel, { folder }: CompileOptions): Reusable {
  if (parts === undefined || parts.options.folder !== folder) return [];
  const needed = model.preparations ?? [];
  return (parts.model.preparations ?? [])
    .filter((preparation) => needed.some((other) => sameModel(preparation, other)))
    .map((preparation) => ({
      preparation,
      results: Object.fromEntries(preparation.outputs.map((name) => [name, parts.prepared.get(name)!])),
    }));
}
