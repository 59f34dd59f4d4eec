import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { AdapterError } from "../../errors.ts";
import { decodeSafetensors } from "../../formats/safetensors.ts";
import { Mt19937 } from "../../tensor/random/mt19937.ts";
import { float32 } from "../../tensor/tensor.ts";
import { concatenateRanks } from "../combine.ts";
import { type LoraModule, loraDelta, loraRank } from "../lora.ts";
import { distance, innerProduct } from "./inner-product.ts";
import { loraOfChange, loraSvd, reduceRank } from "./low-rank-svd.ts";
import { subspaceSimilarity } from "./subspaces.ts";

const file = "test/fixtures/arithmetic/merges.safetensors";
const fixture = decodeSafetensors(readFileSync(file), file);
const part = (name: string) => float32(fixture.get(name)!.shape, fixture.get(name)!.data as Float32Array);
const module = (up: string, down: string, rank: number): LoraModule => ({
  path: "layer",
  up: part(up),
  down: part(down),
  alpha: rank,
});
const [first, second] = [module("up", "down", 6), module("other_up", "other_down", 4)];
const combined = concatenateRanks("layer", [
  { lambda: 0.7, module: first },
  { lambda: -0.4, module: second },
]);

function convolution(seed: number, rank: number): LoraModule {
  const random = new Mt19937(seed);
  return {
    path: "conv",
    down: float32([rank, 5, 3, 3], random.randn(rank * 45)),
    up: float32([8, rank, 1, 1], random.randn(8 * rank)),
    alpha: 2,
  };
}

const differences = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  return Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i]!)));
};

describe("loraSvd", () => {
  it("finds torch's singular values of the full change", () => {
    const { values } = loraSvd(combined);
    const wanted = fixture.get("change.values")!.data as Float64Array;
    expect(differences(values, wanted.slice(0, 10))).toBeLessThan(1e-5);
  });
});

describe("reduceRank", () => {
  it("gives torch's best approximation of rank 3", () => {
    const { module: reduced, error, norm } = reduceRank(combined, { rank: 3 });
    expect(loraRank(reduced)).toBe(3);
    expect(differences(loraDelta(reduced).data, fixture.get("change.rank3")!.data as Float64Array)).toBeLessThan(1e-5);
    const values = fixture.get("change.values")!.data as Float64Array;
    const rest = Math.sqrt(values.slice(3).reduce((sum, x) => sum + x * x, 0));
    expect(error).toBeCloseTo(rest, 4);
    expect(norm).toBeCloseTo(Math.hypot(...values), 4);
    expect(distance(reduced, combined)).toBeCloseTo(rest, 4);
  });

  it("leaves nothing out at full rank, of convolutions as well", () => {
    const conv = convolution(1, 4);
    const { module: same, error, norm } = reduceRank(conv, { rank: 9 });
    expect(loraRank(same)).toBe(4);
    expect(same.down.shape).toEqual([4, 5, 3, 3]);
    expect(same.up.shape).toEqual([8, 4, 1, 1]);
    expect(error / norm).toBeLessThan(1e-12);
    expect(differences(loraDelta(same).data, loraDelta(conv).data)).toBeLessThan(1e-5);
  });

  it("takes the rank that an energy needs", () => {
    expect(loraRank(reduceRank(combined, { energy: 1e-6 }).module)).toBe(1);
    const { module: reduced, error, norm } = reduceRank(combined, { energy: 0.95 });
    expect(loraRank(reduced)).toBeLessThan(10);
    expect((error / norm) ** 2).toBeLessThan(0.05);
  });

  it("takes a change of zero", () => {
    const zero = { ...first, up: float32([40, 6], new Float32Array(240)) };
    const { module: reduced, error } = reduceRank(zero, { rank: 2 });
    expect(error).toBe(0);
    expect([...loraDelta(reduced).data].every((x) => x === 0)).toBe(true);
  });
});

describe("loraOfChange", () => {
  it("finds a low-rank change again", () => {
    const conv = convolution(3, 2);
    const { module: found, error, norm } = loraOfChange("conv", loraDelta(conv), { rank: 2 });
    expect(error / norm).toBeLessThan(1e-6);
    expect(differences(loraDelta(found).data, loraDelta(conv).data)).toBeLessThan(1e-5);
  });
});

describe("innerProduct", () => {
  it("gives torch's cosine of the full changes", () => {
    const cosine = innerProduct(first, second) / Math.sqrt(innerProduct(first, first) * innerProduct(second, second));
    expect(cosine).toBeCloseTo((fixture.get("cosine")!.data as Float64Array)[0]!, 6);
  });

  it("refuses changes of two shapes", () => {
    expect(() => innerProduct(first, convolution(1, 2))).toThrow(AdapterError);
  });
});

describe("subspaceSimilarity", () => {
  it.each(["inputs", "outputs"] as const)(
    "gives the LoRA paper's phi on torch's singular vectors of the %s",
    (side) => {
      const [a, b] = [loraSvd(first), loraSvd(second)];
      const wanted = fixture.get(`phi.${side}`)!.data;
      for (let i = 1; i <= 6; i++) {
        for (let j = 1; j <= 4; j++) {
          const phi = side === "inputs" ? subspaceSimilarity(a.v, b.v, i, j) : subspaceSimilarity(a.u, b.u, i, j);
          expect(Math.abs(phi - Number(wanted[(i - 1) * 4 + j - 1]))).toBeLessThan(1e-6);
        }
      }
    },
  );
});
