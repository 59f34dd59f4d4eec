import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { conditionalFrechetDistance } from "../../src/evaluation/conditional-frechet.ts";
import { symmetricEigenvalues } from "../../src/evaluation/eigenvalues.ts";
import type { Features } from "../../src/evaluation/features.ts";
import { featureStatistics, frechetDistance } from "../../src/evaluation/frechet.ts";
import { extrapolate } from "../../src/evaluation/frechet-infinity.ts";
import { inceptionScore } from "../../src/evaluation/inception-score.ts";
import { kernelDistance } from "../../src/evaluation/kernel-distance.ts";
import { manifoldMeasures } from "../../src/evaluation/manifold.ts";
import { matrix, runtimeProducts } from "../../src/evaluation/products.ts";
import { type Resizing, resizePlanes } from "../../src/evaluation/resize.ts";
import { decodeSafetensors } from "../../src/formats/safetensors.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import { float32, type Tensor } from "../../src/tensor/tensor.ts";
import { uniform } from "./formula.ts";

interface FrechetCase {
  readonly counts: readonly [number, number];
  readonly width: number;
  readonly "torch-fidelity": number;
  readonly "pytorch-fid": number;
}

/** Values by the references; `scripts/fixtures/evaluation.py` says how they were made. */
const expected = JSON.parse(readFileSync("test/fixtures/evaluation/measures.json", "utf8")) as {
  readonly frechet: Readonly<Record<string, FrechetCase>>;
  readonly kernel: number;
  readonly inceptionScore: readonly [number, number];
  readonly manifold: Readonly<Record<string, number>>;
  readonly line: { readonly counts: readonly number[]; readonly distances: readonly number[]; readonly limit: number };
  readonly eigenvalues: readonly number[];
  readonly conditional: number;
  readonly conditionalSingular: number;
  readonly conditionalFew: number;
};

const runtime = onnxRuntime({ threads: 1 });
const products = runtimeProducts(runtime);
afterAll(() => runtime.dispose());

/** The same formula as in the script. */
function rows(name: string, count: number, width: number, shift = 0): Tensor<"float32"> {
  const each = uniform(name, count * width);
  const common = uniform(`${name} of rows`, count);
  const data = each.map((u, i) => u * (1 + ((i % width) % 5)) + 0.3 * common[Math.floor(i / width)]! + shift);
  return float32([count, width], Float32Array.from(data));
}

const identity = { network: "formula", resizing: "none", fingerprint: "0" };
const features = (tensor: Tensor<"float32">): Features => ({ identity, rows: tensor });
const head = ({ shape, data }: Tensor<"float32">, count: number): Tensor<"float32"> =>
  float32([count, shape[1]!], data.slice(0, count * shape[1]!));

describe("Frechet distance", () => {
  it.each(Object.entries(expected.frechet))("agrees with the references: %s", async (name, one) => {
    const a = await featureStatistics(products, features(rows(`${name} real`, one.counts[0], one.width)));
    const b = await featureStatistics(products, features(rows(`${name} drawn`, one.counts[1], one.width, 0.5)));
    const { distance, counts } = await frechetDistance(products, a, b);
    expect(counts).toEqual(one.counts);
    expect(Math.abs(distance / one["torch-fidelity"] - 1)).toBeLessThan(1e-6);
    expect(Math.abs(distance / one["pytorch-fid"] - 1)).toBeLessThan(1e-4);
  });

  it("lays numpy's line through subsets", () => {
    const { counts, distances, limit } = expected.line;
    expect(extrapolate(counts.map((count, i) => ({ count, distance: distances[i]! })))).toBeCloseTo(limit, 9);
  });

  it("finds numpy's eigenvalues", () => {
    const { data } = rows("symmetric", 30, 30);
    const sum = Float64Array.from(data, (x, i) => x + data[(i % 30) * 30 + Math.floor(i / 30)]!);
    const found = symmetricEigenvalues(matrix(30, 30, sum));
    found.forEach((x, i) => {
      expect(x).toBeCloseTo(expected.eigenvalues[i]!, 9);
    });
  });
});

describe("conditional Frechet distance", () => {
  const real = rows("pairs real", 40, 12);
  const drawn = rows("pairs drawn", 40, 12, 0.2);
  const conditions = rows("conditions", 40, 5);

  it("agrees with its definition", async () => {
    const given = { name: "formula", rows: conditions };
    const { distance } = await conditionalFrechetDistance(products, features(real), features(drawn), given);
    expect(distance / expected.conditional).toBeCloseTo(1, 6);
  });

  it("takes the pseudo-inverse where conditions repeat each other", async () => {
    const doubled = float32(
      [40, 7],
      Array.from({ length: 40 }, (_, i) => {
        const row = [...conditions.data.subarray(5 * i, 5 * i + 5)];
        return [...row, 3 * row[0]!, 3 * row[1]!];
      }).flat(),
    );
    const given = { name: "formula", rows: doubled };
    const { distance } = await conditionalFrechetDistance(products, features(real), features(drawn), given);
    expect(distance / expected.conditionalSingular).toBeCloseTo(1, 5);
  });

  it("serves fewer pictures than features are wide", async () => {
    const given = { name: "formula", rows: rows("few conditions", 11, 4) };
    const [a, b] = [features(head(real, 11)), features(head(drawn, 11))];
    const { distance } = await conditionalFrechetDistance(products, a, b, given);
    expect(distance / expected.conditionalFew).toBeCloseTo(1, 6);
  });
});

it("agrees with torch-fidelity on the kernel distance", async () => {
  const [a, b] = [features(rows("pairs real", 40, 12)), features(rows("pairs drawn", 40, 12, 0.2))];
  const { distance, deviation, subsets } = await kernelDistance(products, a, b);
  expect(distance).toBeCloseTo(expected.kernel, 5);
  expect([deviation, subsets]).toEqual([0, 1]);
});

it("agrees with torch-fidelity on the inception score", () => {
  const logits = rows("logits", 43, 8);
  const { score, deviation } = inceptionScore({ identity, rows: logits, logits }, { splits: 5, seed: undefined });
  expect(score).toBeCloseTo(expected.inceptionScore[0], 9);
  expect(deviation).toBeCloseTo(expected.inceptionScore[1], 9);
});

it("agrees with prdc on precision, recall, density and coverage", async () => {
  const [a, b] = [features(rows("pairs real", 40, 12)), features(rows("pairs drawn", 40, 12, 1))];
  const { precision, recall, density, coverage } = await manifoldMeasures(products, a, b, 3);
  for (const [name, value] of Object.entries({ precision, recall, density, coverage }))
    expect(value, name).toBeCloseTo(expected.manifold[name]!, 12);
});

describe("resizing", () => {
  const stored = decodeSafetensors(readFileSync("test/fixtures/evaluation/resizings.safetensors"), "resizings");
  const sources: Readonly<Record<string, readonly [number, number]>> = {
    up: [13, 17],
    down: [40, 37],
    mixed: [12, 40],
  };

  it.each([...stored])("agrees with the reference: %s", (key, tensor) => {
    const [name, resizing] = key.split(".") as [string, Resizing];
    const [height, width] = sources[name]!;
    const bytes = uniform(`picture ${name}`, 3 * height * width).map((u) => Math.floor((u + 1) * 128));
    const resized = resizePlanes(
      float32([3, height, width], Float32Array.from(bytes)),
      tensor.shape[1]!,
      tensor.shape[2]!,
      resizing,
    );
    const worst = resized.data.reduce((w, x, i) => Math.max(w, Math.abs(x - (tensor.data as Float32Array)[i]!)), 0);
    // Sums in float32 and float64 differ in the last bits of numbers up to 255; bytes do not.
    expect(worst).toBeLessThanOrEqual(resizing.endsWith("-bytes") ? 0 : 1e-4);
  });
});
