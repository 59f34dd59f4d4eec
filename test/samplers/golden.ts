import type { Sampler, SamplingInput, SamplingStep } from "../../src/samplers/sampler.ts";
import { type Tensor, tensor } from "../../src/tensor/tensor.ts";

const shape = [4, 3, 8, 8];

/** The start of diffusers' scheduler tests: i / 768 over [3, 8, 8, 4] with the last axis moved to the front. */
export const goldenStart: Tensor<"float32"> = tensor(
  "float32",
  shape,
  Float32Array.from({ length: 768 }, (_, i) => {
    const [batch, rest] = [Math.floor(i / 192), i % 192];
    return (rest * 4 + batch) / 768;
  }),
);

/** The network of diffusers' scheduler tests: x t / (t + 1). */
export async function goldenNetwork(x: Tensor<"float32">, t: number): Promise<Tensor<"float32">> {
  return { ...x, data: x.data.map((value) => (value * t) / (t + 1)) };
}

/** Runs a sampler to its end. */
export async function lastStep(sampler: Sampler, input: SamplingInput): Promise<SamplingStep> {
  let last: SamplingStep | undefined;
  for await (const step of sampler.sample(input)) last = step;
  if (last === undefined) throw new Error("The sampler gave no step.");
  return last;
}

export function sumOfMagnitudes({ data }: Tensor<"float32">): number {
  return data.reduce((sum, x) => sum + Math.abs(x), 0);
}
