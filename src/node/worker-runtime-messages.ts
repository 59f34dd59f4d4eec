import type { OnnxModel } from "../graph/encode.ts";
import type { OnnxRuntimeOptions } from "../runtime/onnx-runtime.ts";
import type { CompileOptions } from "../runtime/runtime.ts";
import type { Tensor } from "../tensor/tensor.ts";

type Tensors = Readonly<Record<string, Tensor>>;

/** What the runtime's worker is started with. */
export type WorkerRuntimeData = Partial<OnnxRuntimeOptions>;

/** What it is asked; sessions go by numbers that the asker chooses. */
export type WorkerRuntimeQuestion =
  | {
      readonly kind: "compile";
      readonly session: number;
      readonly model: OnnxModel;
      readonly options: Omit<CompileOptions, "replacing">;
      /** The session that the new one takes the place of. */
      readonly replacing?: number;
    }
  | { readonly kind: "run"; readonly session: number; readonly inputs: Tensors; readonly into: Tensors }
  | { readonly kind: "release"; readonly session: number }
  | { readonly kind: "close" };

/** What it answers: the results of a run that were not written into shared memory; nothing to all else. */
export type WorkerRuntimeAnswer = Tensors;

/** Whether a tensor lies in memory that both threads see. */
export const isShared = ({ data }: Tensor): boolean => data.buffer instanceof SharedArrayBuffer;
