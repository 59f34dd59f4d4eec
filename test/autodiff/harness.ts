import { readFileSync } from "node:fs";
import type { Compile, Tensors } from "../../src/autodiff/check.ts";
import { decodeSafetensors } from "../../src/formats/safetensors.ts";
import { encode } from "../../src/graph/encode.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { elementCount, float32, int64, type Tensor } from "../../src/tensor/tensor.ts";

/** Shape, lowest and highest value, and distance from zero; or whole numbers. */
type InputSpec = [shape: number[], low: number, high: number, gap?: number] | { shape: number[]; values: number[] };

const folder = new URL("../fixtures/gradients/", import.meta.url);

/** The inputs of every case, by kind and name. */
export const caseInputs = JSON.parse(readFileSync(new URL("cases.json", folder), "utf8")) as Record<
  string,
  Record<string, Record<string, InputSpec>>
>;

const fixture = new URL("gradients.safetensors", folder);
/** torch's value (`kind/name`) and gradients (`kind/name/input`) of every case. */
export const torchResults: ReadonlyMap<string, Tensor> = decodeSafetensors(
  readFileSync(fixture),
  "gradients.safetensors",
);

/** The formula of scripts/fixtures/gradients.py. */
function valuesOf(number: number, spec: InputSpec): Tensor {
  if (!Array.isArray(spec)) return int64(spec.shape, spec.values);
  const [shape, low, high, gap = 0] = spec;
  const data = Array.from({ length: elementCount(shape) }, (_, i) => {
    const x = low + ((high - low) * (((i * 37 + number * 17 + 5) % 61) + 0.3)) / 61;
    return x + gap * Math.sign(x);
  });
  return float32(shape, data);
}

export function pointOf(kind: string, name: string): Tensors {
  const specs = Object.entries(caseInputs[kind]![name]!);
  return Object.fromEntries(specs.map(([key, spec], i) => [key, valuesOf(i, spec)]));
}

/** One thread suffices for graphs of a hundred elements. */
export const testRuntime = (): Runtime => onnxRuntime({ threads: 1 });

export const compileWith =
  (runtime: Runtime): Compile =>
  async (outputs) => {
    const session = await runtime.compile(encode(outputs));
    return (inputs) => session.run(inputs);
  };
