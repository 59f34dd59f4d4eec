import type { OnnxModel } from "../graph/encode.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Where a graph runs. In the browser `cpu` is WebAssembly. */
export type Device = "cpu" | "cuda" | "webgpu" | "directml" | "coreml";

export const devices: readonly Device[] = ["cpu", "cuda", "webgpu", "directml", "coreml"];

export interface CompileOptions {
  /** Folder of the files that the model's constants lie in; needed when `model.files` is not empty. */
  readonly folder?: string;
  /**
   * Whether the runtime takes time to bring weights into the layouts that its kernels like best (yes, unless told): without,
   * a graph is compiled in a fraction of the time, and weights stay in their file.
   */
  readonly layouts?: boolean;
  /**
   * Whether memory for all of a run is set aside at once (yes, unless told): right for a graph that is run very often. It
   * comes on top of what the first run took piece by piece.
   */
  readonly reserve?: boolean;
  /**
   * A session of this runtime that the new one takes the place of. It is disposed; what both have in common is not made
   * again. Where this fails, it is disposed as well.
   */
  readonly replacing?: Session;
}

export interface RunOptions {
  /** Checked before the run begins: a run cannot be stopped inside, so callers stop between runs. */
  readonly signal?: AbortSignal;
  /** Tensors that results are written into, by output name; types and shapes must agree. */
  readonly into?: Readonly<Record<string, Tensor>>;
}

/** A compiled graph. It owns memory outside the garbage collector's sight until it is disposed. */
export interface Session {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /**
   * Computes the outputs.
   * Tensors that the graph has no input for are passed over, so that one set of parameters serves several graphs.
   * @throws RuntimeFailure when an input is missing, or the runtime fails
   * @throws DOMException `AbortError` when the signal was already aborted
   */
  run(inputs: Readonly<Record<string, Tensor>>, options?: RunOptions): Promise<Readonly<Record<string, Tensor>>>;
  /** Frees the session; a second call does nothing. */
  dispose(): Promise<void>;
}

/** Compiles graphs for one device. */
export interface Runtime {
  readonly device: Device;
  /** @throws RuntimeFailure when the device cannot take the graph */
  compile(model: OnnxModel, options?: CompileOptions): Promise<Session>;
  /** Frees all sessions that are still open and whatever runs them. */
  dispose(): Promise<void>;
}
