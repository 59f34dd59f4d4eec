import { afterAll, describe, expect, it } from "vitest";
import { onnxRuntime } from "../../runtime/onnx-runtime.ts";
import { float32 } from "../../tensor/tensor.ts";
import { encode } from "../encode.ts";
import { operationsInOrder } from "../order.ts";
import { input } from "../value.ts";
import { attention } from "./attention.ts";
import { cast } from "./elementwise.ts";

const runtime = onnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

/**
 * Attention of 3 tokens with 2 heads of 4 numbers, in float16, whose scores are beyond float16's 65,504: what it gives, and
 * the element types that the scores' softmax has. (The runtime for the CPU computes them in float32 either way.)
 */
async function inHalf(upcast: boolean): Promise<{ readonly data: Float32Array; readonly types: readonly string[] }> {
  const [q, k, v] = ["q", "k", "v"].map((name) => cast(input(name, [3, 8]), "float16"));
  const y = attention(q!, k!, v!, { heads: 2, batch: 1, upcast });
  expect(y.type).toBe("float16");
  const session = await runtime.compile(encode({ y: cast(y, "float32") }));
  const large = Float32Array.from({ length: 24 }, (_, i) => 300 + (i % 5));
  const values = Float32Array.from({ length: 24 }, (_, i) => i / 8);
  const { y: result } = await session.run({
    q: float32([3, 8], large),
    k: float32([3, 8], large),
    v: float32([3, 8], values),
  });
  const types = operationsInOrder([y])
    .filter(({ kind }) => kind === "softmax")
    .map(({ outputs }) => outputs[0]!.type);
  return { data: result!.data as Float32Array, types };
}

describe("attention in float16", () => {
  it("computes scores in float32 where it is told to, so that they do not overflow", async () => {
    expect((await inHalf(false)).types).toEqual(["float16"]);
    const { data: precise, types } = await inHalf(true);
    expect(types).toEqual(["float32"]);
    const rows = Array.from({ length: 24 }, (_, i) => 300 + (i % 5));
    for (const [token, head] of [0, 1, 2].flatMap((t) => [0, 1].map((h) => [t, h] as const))) {
      const part = (row: number): number[] => rows.slice(8 * row + 4 * head, 8 * row + 4 * head + 4);
      const scores = [0, 1, 2].map((key) => part(token).reduce((sum, x, i) => sum + x * part(key)[i]!, 0) / 2);
      const weights = scores.map((score) => Math.exp(score - Math.max(...scores)));
      const total = weights.reduce((a, b) => a + b, 0);
      for (let i = 0; i < 4; i++) {
        const place = 4 * head + i;
        const expected = weights.reduce((sum, weight, key) => sum + (weight / total) * ((8 * key + place) / 8), 0);
        expect(Math.abs(precise[8 * token + place]! - expected)).toBeLessThan(2e-3);
      }
    }
  });
});
