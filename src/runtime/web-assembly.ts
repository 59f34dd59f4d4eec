import * as ort from "#ort";

/** How ONNX Runtime for browsers is loaded. It is loaded once, so this holds for all that is compiled afterwards. */
export interface WebAssemblySettings {
  /** Threads of one operation, from 1. Browsers allow more than one only to pages that are isolated from others. */
  readonly threads: number;
  /** Address of the folder that holds the runtime's `.wasm` and `.mjs` files; where its own script lies, unless told. */
  readonly files?: string;
}

/** Sets how the browser's runtime is loaded; call it before the first graph is compiled. */
export function setWebAssembly({ threads, files }: WebAssemblySettings): void {
  ort.env.wasm.numThreads = threads;
  if (files !== undefined) ort.env.wasm.wasmPaths = files;
}
