import { existsSync, readFileSync } from "node:fs";
import sharp from "sharp";
import { afterAll, describe, expect, it } from "vitest";
import { clipConfig, clipScore, openClip } from "../../src/evaluation/clip-score.ts";
import { featureStatistics, frechetDistance } from "../../src/evaluation/frechet.ts";
import { lpips } from "../../src/evaluation/lpips.ts";
import { backboneMaps, tapWidths } from "../../src/evaluation/networks/backbones.ts";
import { efficientNetLite, efficientNetLiteSize } from "../../src/evaluation/networks/efficientnet-lite.ts";
import { inception, inceptionSize } from "../../src/evaluation/networks/inception.ts";
import { featureNetworkOf } from "../../src/evaluation/open-feature-network.ts";
import { runtimeProducts } from "../../src/evaluation/products.ts";
import { measureWeights, readMeasureWeights } from "../../src/evaluation/weights.ts";
import { openFileSource } from "../../src/formats/file-source.node.ts";
import { decodeSafetensors } from "../../src/formats/safetensors.ts";
import { parseSafetensorsHeader } from "../../src/formats/safetensors-header.ts";
import { input } from "../../src/graph/value.ts";
import { clipTextModel } from "../../src/models/clip.ts";
import { projectedText } from "../../src/models/clip-pooling.ts";
import { clipVisionModel } from "../../src/models/clip-vision.ts";
import { layers } from "../../src/models/layers.ts";
import type { ClipTokenizer } from "../../src/models/tokenizer/clip-tokenizer.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import { Mt19937 } from "../../src/tensor/random/mt19937.ts";
import { float32, type Tensor } from "../../src/tensor/tensor.ts";
import { formulaPicture, measureWeight, weightsFor } from "./evaluation-weights.ts";

/** Values by the references; `scripts/fixtures/evaluation-networks.py` says how they were made. */
const file = "test/fixtures/evaluation/networks.safetensors";
const bytes = readFileSync(file);
const stored = decodeSafetensors(bytes, file);
const numbers = (name: string): Float32Array => stored.get(name)!.data as Float32Array;

const runtime = onnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

/** Largest difference, of the root of the mean square of what is expected. */
function relativeError(found: ArrayLike<number>, expected: Float32Array): number {
  expect(found.length).toBe(expected.length);
  const size = Math.sqrt(expected.reduce((sum, x) => sum + x * x, 0) / expected.length);
  return expected.reduce((worst, x, i) => Math.max(worst, Math.abs(found[i]! - x)), 0) / size;
}

it("agrees with torch-fidelity on Inception's features, logits and the distance of the same weights", async () => {
  const weights = await weightsFor("inception.safetensors", (source) =>
    inception(layers(source), input("pictures", [3, 1, inceptionSize, inceptionSize])),
  );
  const network = await featureNetworkOf(runtime, weights, { batch: 3 });
  const extract = (side: string, divisor: number) =>
    network.extract([0, 1, 2].map((i) => formulaPicture(`${side} ${i}`, 40, 48, divisor)));
  const [real, drawn] = [await extract("real", 1), await extract("drawn", 2)];
  await network.dispose();
  expect(network.identity.network).toBe("inception-v3-2015 2048");
  expect(relativeError(real.rows.data.subarray(0, 2048), numbers("inception.features"))).toBeLessThan(1e-3);
  expect(relativeError(real.logits!.data.subarray(0, 1008), numbers("inception.logits"))).toBeLessThan(1e-3);
  const products = runtimeProducts(runtime);
  const [a, b] = [await featureStatistics(products, real), await featureStatistics(products, drawn)];
  const { distance } = await frechetDistance(products, a, b);
  await products.dispose();
  expect(Math.abs(distance / numbers("inception.frechet")[0]! - 1)).toBeLessThan(1e-3);
}, 120_000);

it("agrees with the port to torch on EfficientNet-Lite0", async () => {
  const weights = await weightsFor("efficientnet-lite0.safetensors", (source) =>
    efficientNetLite(layers(source), input("pictures", [3, 1, efficientNetLiteSize, efficientNetLiteSize])),
  );
  const network = await featureNetworkOf(runtime, weights, { batch: 1 });
  const { rows, logits } = await network.extract([formulaPicture("efficient", 224, 224)]);
  await network.dispose();
  expect(relativeError(rows.data, numbers("efficientnet.features"))).toBeLessThan(1e-3);
  expect(relativeError(logits!.data, numbers("efficientnet.logits"))).toBeLessThan(1e-3);
}, 60_000);

describe.each(["squeeze", "alex", "vgg"] as const)("LPIPS by %s", (name) => {
  it("agrees with the reference on the same weights", async () => {
    const backbone = await weightsFor(`${name}.safetensors`, (source) =>
      backboneMaps(layers(source), name, input("pictures", [3, 1, 64, 72])),
    );
    const names = tapWidths[name].map((width, i) => [`lin${i}.model.1.weight`, [1, width, 1, 1]] as const);
    const heads = new Map(names.map(([key, shape]) => [key, measureWeight(key, shape)]));
    const network = lpips(runtime, backbone, await measureWeights("heads.pth", heads), 3);
    const pairs = [0, 1].map(
      (i) => [formulaPicture(`first ${i}`, 64, 72), formulaPicture(`second ${i}`, 64, 72)] as const,
    );
    const [first] = pairs[0]!;
    const dimmed = float32(
      first.shape,
      first.data.map((x) => x * Math.fround(0.9)),
    );
    const found = await network.distances([...pairs, [first, dimmed]]);
    await network.dispose();
    const expected = numbers(`lpips.${name}`);
    found.forEach((x, i) => {
      expect(Math.abs(x / expected[i]! - 1)).toBeLessThan(1e-4);
    });
  }, 60_000);
});

it("agrees with transformers on both towers of a CLIP, preprocessing included", async () => {
  const json = JSON.parse(parseSafetensorsHeader(bytes, bytes.length, file).metadata.get("clip")!) as unknown;
  const config = clipConfig(json);
  const { size } = config.vision;
  const length = config.text.positions;
  const weights = await weightsFor("model.safetensors", (source) => {
    clipVisionModel(layers(source), config.vision, input("pictures", [1, 3, size, size]));
    const text = clipTextModel(layers(source), config.text, input("ids", [1, length], "int64"));
    projectedText(layers(source), config.text, text.lastHiddenState, input("ends", [1], "int64"));
  });
  const ids = [1, 7, 30, 12, 39, 0, 0, 0, 0];
  const tokenizer = { maxLength: length, encodePadded: () => ({ ids }) } as unknown as ClipTokenizer;
  const clip = await openClip(runtime, { name: "tiny", config, weights, tokenizer }, 1);
  const features = await clip.pictures.extract([formulaPicture("clip", 40, 60)]);
  const { score } = await clipScore(clip, features, ["as the numbers say"]);
  const texts = await clip.texts(["as the numbers say"]);
  await clip.dispose();
  expect(relativeError(features.rows.data, numbers("clip.picture"))).toBeLessThan(1e-4);
  expect(relativeError(texts.data, numbers("clip.text"))).toBeLessThan(1e-4);
  expect(score.value).toBeCloseTo(100 * Math.max(0, numbers("clip.cosine")[0]!), 2);
});

const data = "../shared/data/lpips";

describe.skipIf(!existsSync(data))(`LPIPS by its published heads (skipped where ${data} is absent)`, () => {
  const expected = JSON.parse(readFileSync("test/fixtures/evaluation/lpips.json", "utf8")) as {
    readonly examples: readonly number[];
    readonly torchmetrics: readonly number[];
  };

  async function open(): Promise<ReturnType<typeof lpips>> {
    await using backbone = await openFileSource(`${data}/squeezenet1_1_torchvision_fp16rounded.safetensors`);
    await using heads = await openFileSource(`${data}/lpips_v0.1_squeeze.pth`);
    return lpips(runtime, await readMeasureWeights(backbone), await readMeasureWeights(heads));
  }

  async function example(name: string): Promise<Tensor<"float32">> {
    const { data: pixels, info } = await sharp(`${data}/${name}.png`)
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const area = info.width * info.height;
    const values = Float32Array.from(
      { length: 3 * area },
      (_, i) => pixels[(i % area) * 3 + Math.floor(i / area)]! / 127.5 - 1,
    );
    return float32([3, info.height, info.width], values);
  }

  it("gives the reference's distances of its example pictures", async () => {
    const network = await open();
    const reference = await example("ex_ref");
    const found = await network.distances([
      [reference, await example("ex_p0")],
      [reference, await example("ex_p1")],
    ]);
    await network.dispose();
    found.forEach((x, i) => {
      expect(x).toBeCloseTo(expected.examples[i]!, 5);
    });
  });

  it("gives the numbers that torchmetrics' documentation prints", async () => {
    const network = await open();
    const generator = new Mt19937(42);
    const [first, second] = [0, 1].map(() =>
      [0, 1].map(() =>
        float32(
          [3, 100, 100],
          generator.uniform(30_000).map((x) => Math.fround(x * 2) - 1),
        ),
      ),
    ) as [Tensor<"float32">[], Tensor<"float32">[]];
    const found = await network.distances(first.map((picture, i) => [picture, second[i]!] as const));
    await network.dispose();
    found.forEach((x, i) => {
      expect(x).toBeCloseTo(expected.torchmetrics[i]!, 5);
      expect(x.toFixed(4)).toBe(["0.1024", "0.0938"][i]);
    });
  });
});
