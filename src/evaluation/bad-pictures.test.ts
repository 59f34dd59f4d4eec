import { afterAll, expect, it } from "vitest";
import { formulaPicture, measureWeight, weightsFor } from "../../test/parity/evaluation-weights.ts";
import { input } from "../graph/value.ts";
import { layers } from "../models/layers.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import { float32 } from "../tensor/tensor.ts";
import { expectCaptions } from "./clip-score.ts";
import { decodeFeatures, encodeFeatures } from "./feature-file.ts";
import type { Features } from "./features.ts";
import { featureStatistics, frechetDistance } from "./frechet.ts";
import { frechetInfinity } from "./frechet-infinity.ts";
import { lpips } from "./lpips.ts";
import { backboneMaps, tapWidths } from "./networks/backbones.ts";
import { runtimeProducts } from "./products.ts";
import { measureWeights } from "./weights.ts";

const runtime = onnxRuntime({ threads: 1 });
const products = runtimeProducts(runtime);
afterAll(async () => {
  await products.dispose();
  await runtime.dispose();
});

const made = (network: string, count: number, width = 3): Features => ({
  identity: { network, resizing: "none", fingerprint: "0" },
  rows: float32(
    [count, width],
    Float32Array.from({ length: count * width }, (_, i) => (i * i) % 7),
  ),
});

it("tells the least number of pictures of a distance", async () => {
  await expect(featureStatistics(products, made("a", 1))).rejects.toThrow(
    "at least 2 pictures in each set, but one has 1",
  );
  const real = await featureStatistics(products, made("a", 4));
  await expect(frechetInfinity(products, real, made("a", 19))).rejects.toThrow(
    "at least 20 pictures, but there are 19",
  );
});

it("does not compare features of two networks", async () => {
  const [a, b] = [await featureStatistics(products, made("a", 4)), await featureStatistics(products, made("b", 4))];
  await expect(frechetDistance(products, a, b)).rejects.toThrow(
    "Features of (a, none resizing, weights 0) cannot be compared with those of (b, none resizing, weights 0)",
  );
  const c = await featureStatistics(products, made("a", 4, 2));
  await expect(frechetDistance(products, a, c)).rejects.toThrow("Features of 3 numbers cannot be compared");
  const file = encodeFeatures(made("a", 4));
  expect(decodeFeatures(file, "real.safetensors", made("a", 1).identity)).toEqual(made("a", 4));
  expect(() => decodeFeatures(file, "real.safetensors", made("b", 1).identity)).toThrow(
    "real.safetensors: these features are of another network (a, none resizing, weights 0)",
  );
});

it("does not compare pictures of two sizes by LPIPS, nor too small ones, nor by the heads of another backbone", async () => {
  const backbone = await weightsFor("squeeze.pth", (source) =>
    backboneMaps(layers(source), "squeeze", input("pictures", [3, 1, 32, 32])),
  );
  const headsFor = (name: keyof typeof tapWidths) => {
    const names = tapWidths[name].map((width, i) => [`lin${i}.model.1.weight`, [1, width, 1, 1]] as const);
    return measureWeights(`${name}.pth`, new Map(names.map(([key, shape]) => [key, measureWeight(key, shape)])));
  };
  const network = lpips(runtime, backbone, await headsFor("squeeze"));
  const of = (size: number) => formulaPicture("a", size, size);
  await expect(network.distances([[of(32), of(40)]])).rejects.toThrow("pair 1 has 32x32 and 40x40; resize one first");
  await expect(network.distances([[of(8), of(8)]])).rejects.toThrow(
    "Pair 1 is 8x8, but this LPIPS needs at least 17x17",
  );
  expect([...(await network.distances([[of(32), of(32)]]))]).toEqual([0]);
  await network.dispose();
  const vgg = await headsFor("vgg");
  expect(() => lpips(runtime, backbone, vgg)).toThrow(
    'these heads belong to the backbone "vgg", but "squeeze" is in use',
  );
});

it("wants a caption for each picture", () => {
  expect(() => expectCaptions(["a fox", " "], 2)).toThrow("Caption 2 of 2 is empty");
  expect(() => expectCaptions(["a fox"], 2)).toThrow("There are 2 pictures and 1 captions");
});
