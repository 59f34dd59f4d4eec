import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { setWebAssembly } from "../runtime/web-assembly.ts";

export interface WebRuntimeOptions {
  /** `auto`, unless told, takes WebGPU where there is a graphics processor for it, else WebAssembly (`cpu`). */
  readonly device?: "auto" | "webgpu" | "cpu";
  /** Threads of WebAssembly; one per core, and at most four, unless told. */
  readonly threads?: number;
  /** Address of the folder of ONNX Runtime's `.wasm` and `.mjs` files; where its script lies, unless told. */
  readonly runtimeFiles?: string;
}

/** A browser's runtime and what it turned out to be. */
export interface WebRuntime {
  readonly runtime: Runtime;
  readonly device: "webgpu" | "cpu";
  /** Of WebAssembly; 1 where the page is not isolated. */
  readonly threads: number;
  /** Whether the graphics processor computes float16. */
  readonly half: boolean;
  /** What is not as it was wished, or slower than it could be, one sentence each. */
  readonly notes: readonly string[];
}

/** What is asked of a browser; Node has none of it. */
interface BrowserGlobals {
  readonly crossOriginIsolated?: boolean;
  readonly navigator?: {
    readonly hardwareConcurrency?: number;
    readonly gpu?: { requestAdapter(): Promise<GpuAdapter | null> };
  };
}

interface GpuAdapter {
  readonly features: { has(name: string): boolean };
  readonly info?: { readonly isFallbackAdapter?: boolean };
}

/** More threads than this gain nothing for pictures of few pixels. */
const mostThreads = 4;

/**
 * Chooses where graphs run in this browser: on WebGPU or WebAssembly, in threads where the page may have them.
 *
 * A graphics processor that software stands in for computes the same, but slower than WebAssembly: it is taken only when WebGPU
 * is asked for.
 */
export async function webRuntime(options: WebRuntimeOptions = {}): Promise<WebRuntime> {
  const { device: wished = "auto", runtimeFiles: files } = options;
  const { navigator, crossOriginIsolated = false } = globalThis as unknown as BrowserGlobals;
  const notes: string[] = [];
  const wanted = options.threads ?? Math.min(mostThreads, navigator?.hardwareConcurrency ?? 1);
  const threads = crossOriginIsolated ? wanted : 1;
  if (threads < wanted)
    notes.push(
      "drawing uses one thread: the server does not isolate the page (Cross-Origin-Opener-Policy: same-origin, Cross-Origin-Embedder-Policy: require-corp).",
    );
  setWebAssembly({ threads, ...(files === undefined ? {} : { files }) });
  const adapter = wished === "cpu" ? undefined : await navigator?.gpu?.requestAdapter().catch(() => null);
  const software = adapter?.info?.isFallbackAdapter === true;
  if (adapter && (wished === "webgpu" || !software)) {
    const half = adapter.features.has("shader-f16");
    if (software) notes.push("WebGPU runs in software here, which is slow.");
    return { runtime: onnxRuntime({ device: "webgpu" }), device: "webgpu", threads, half, notes };
  }
  if (wished === "webgpu") notes.push("this browser offers no WebGPU; WebAssembly draws instead.");
  return { runtime: onnxRuntime({ device: "cpu" }), device: "cpu", threads, half: false, notes };
}
