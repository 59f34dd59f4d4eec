import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { combineAdapters, mergeAdapters } from "../../src/adapters/combine.ts";
import { type LoraModule, loraRank, loraScale } from "../../src/adapters/lora.ts";
import { decodeSafetensors } from "../../src/formats/safetensors.ts";
import { parseSafetensorsHeader } from "../../src/formats/safetensors-header.ts";
import { encodePrompt } from "../../src/generate/conditioning.ts";
import type { DrawnPicture } from "../../src/generate/drawing.ts";
import { type Model, unetFromFolder } from "../../src/generate/model.ts";
import { createNetworks, type Networks } from "../../src/generate/networks.ts";
import { naturalSize } from "../../src/generate/size.ts";
import { textToImage } from "../../src/generate/text-to-image.ts";
import { encode } from "../../src/graph/encode.ts";
import type { Value } from "../../src/graph/value.ts";
import { type LoraSwap, loraSwap } from "../../src/node/lora-swap.ts";
import { adaptedModel, type OpenedModel, openModel, readLoras, weightedAdapters } from "../../src/node/open-model.ts";
import { shippedModelFolder } from "../../src/node/shipped-model.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import { createSampler } from "../../src/samplers/registry.ts";
import { toFloat32 } from "../../src/tensor/convert.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

/** A drawing of `scripts/fixtures/lora-pictures.py`. */
interface Case {
  readonly prompt: string;
  readonly sampler: "lcm" | "ddim";
  readonly steps: number;
  readonly guidance: number;
  readonly seed: number;
  readonly loras: Readonly<Record<string, number>>;
}

const bytes = readFileSync("test/fixtures/lora-pictures/pictures.safetensors");
const { metadata } = parseSafetensorsHeader(bytes, bytes.length, "pictures.safetensors");
const expected = decodeSafetensors(bytes, "pictures.safetensors");
const cases = JSON.parse(metadata.get("cases")!) as Record<string, Case>;
const apart = JSON.parse(metadata.get("apart")!) as Case;

const runtime = onnxRuntime();
let opened: OpenedModel;
let model: Model;
let networks: Networks;
let swap: LoraSwap;
beforeAll(async () => {
  opened = await openModel(shippedModelFolder());
  model = await adaptedModel(opened, []);
  networks = createNetworks(runtime, model);
  swap = loraSwap(opened, networks);
});
afterAll(async () => {
  await runtime.dispose();
  await opened.folder.close();
});

const choicesOf = (loras: Readonly<Record<string, number>>) =>
  Object.entries(loras).map(([name, weight]) => ({ path: `${shippedModelFolder()}/lora/${name}.safetensors`, weight }));

async function draw({ prompt, sampler, steps, guidance, seed }: Case): Promise<DrawnPicture> {
  const texts = { prompt, negativePrompt: "", guidanceScale: guidance };
  const request = {
    conditioning: await encodePrompt(networks, model, texts),
    sampler: createSampler(sampler, { config: opened.files.scheduler, steps, strength: 1 }),
    size: naturalSize(model),
    seed,
    count: 1,
  };
  for await (const event of textToImage(networks, model, request)) if (event.kind === "picture") return event;
  throw new Error("no picture was drawn");
}

/** Largest difference, in shares of the largest value of the second. */
function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let [largest, worst] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    largest = Math.max(largest, Math.abs(b[i]!));
    worst = Math.max(worst, Math.abs(a[i]! - b[i]!));
  }
  return worst / largest;
}
const numbers = ({ data }: Tensor): ArrayLike<number> => data as Float32Array;

describe("pictures of diffusers with weighted LoRAs", () => {
  it.each(Object.entries(cases))("%s", async (name, wanted) => {
    await swap.use(choicesOf(wanted.loras));
    const { latents, pixels } = await draw(wanted);
    expect(difference(latents.data, numbers(expected.get(`${name}.latents`)!))).toBeLessThan(1e-4);
    const picture = expected.get(`${name}.picture`);
    if (picture !== undefined) expect(difference(pixels.data, numbers(picture))).toBeLessThan(1e-4);
  });

  it("are other ones where A and B are added apart", async () => {
    const chosen = await swap.use(choicesOf(apart.loras));
    const sum = await draw(apart);
    const theirs = numbers(expected.get("apart.latents")!);
    expect(difference(sum.latents.data, theirs)).toBeGreaterThan(0.1);
    const adapters = [
      { lambda: 1, modules: addedApart(chosen.map(({ adapter, weight }) => [weight, adapter.modules])) },
    ];
    await networks.replaceUNet(await unetFromFolder(opened.files, opened.place, adapters));
    expect(difference((await draw(apart)).latents.data, theirs)).toBeLessThan(1e-4);
  });
});

type Weighted = readonly [weight: number, modules: readonly LoraModule[]];

/** What must not be done: `(sum w^(1/2) B)(sum w^(1/2) A)`, with products of one LoRA's B with the other's A. */
function addedApart(loras: readonly Weighted[]): LoraModule[] {
  const total = (index: number, half: "up" | "down"): Tensor<"float32"> => {
    const parts = loras.map(([weight, modules]) => [Math.sqrt(weight), toFloat32(modules[index]![half])] as const);
    const data = parts[0]![1].data.map((_, i) => parts.reduce((sum, [root, { data }]) => sum + root * data[i]!, 0));
    return { type: "float32", shape: parts[0]![1].shape, data };
  };
  return loras[0]![1].map(({ path, alpha }, i) => ({ path, alpha, up: total(i, "up"), down: total(i, "down") }));
}

/** `theta + sum lambda_i (alpha_i / rank_i) B_i A_i` of one layer, in float64, entry by entry. */
function mergedByHand(
  base: Float32Array,
  columns: number,
  parts: readonly (readonly [number, LoraModule])[],
): Float64Array {
  const sum = Float64Array.from(base);
  for (const [lambda, module] of parts) {
    const [up, down] = [toFloat32(module.up).data, toFloat32(module.down).data];
    const rank = loraRank(module);
    for (let i = 0; i < sum.length; i++) {
      const [row, column] = [Math.floor(i / columns), i % columns];
      let product = 0;
      for (let r = 0; r < rank; r++) product += up[row * rank + r]! * down[r * columns + column]!;
      sum[i]! += lambda * loraScale(module) * product;
    }
  }
  return sum;
}

describe("theta + lambda1 tau_style + lambda2 tau_LCM", () => {
  it("is, in every layer, what merging by hand in float64 gives", async () => {
    const loras = { "lcm-lora": 1, "style-3d": 0.8, "style-ink": -0.5 };
    const chosen = await readLoras(opened.files, choicesOf(loras));
    const adapters = weightedAdapters(chosen);
    const combined = new Map(combineAdapters(adapters).map((module) => [module.path, module]));
    expect(combined.size).toBeGreaterThan(50);
    const plain = await unetFromFolder(opened.files, opened.place, []);
    // Layers of each kind: the last of them have the largest kernels.
    const paths = [...combined.keys()].filter((_, i) => i % 7 === 0);
    const weights = await fetchWeights(paths.map((path) => [path, plain.source]));
    const adapted = await unetFromFolder(opened.files, opened.place, adapters);
    const merged = await fetchWeights(paths.map((path) => [path, adapted.source]));
    const onHost = mergeAdapters(
      new Map(paths.map((path) => [`${path}.weight`, weights.get(path)!])),
      adapters.map(({ lambda, modules }) => ({ lambda, modules: modules.filter(({ path }) => paths.includes(path)) })),
    );
    for (const path of paths) {
      const base = weights.get(path)!;
      const parts = chosen.flatMap(({ adapter, weight }) => {
        const module = adapter.modules.find((one) => one.path === path);
        return module === undefined ? [] : [[weight, module] as const];
      });
      const byHand = mergedByHand(base.data, base.data.length / base.shape[0]!, parts);
      expect(difference(onHost.get(`${path}.weight`)!.data as Float32Array, byHand)).toBeLessThan(1e-6);
      expect(difference(merged.get(path)!.data, byHand)).toBeLessThan(1e-6);
      expect(difference(base.data, byHand)).toBeGreaterThan(1e-3);
    }
  });
});

/** Weights of layers as the runtime computes them. */
async function fetchWeights(
  sources: readonly (readonly [string, (name: string, shape: readonly number[]) => Value])[],
): Promise<Map<string, Tensor<"float32">>> {
  const { unet } = opened.files;
  const outputs: Record<string, Value> = {};
  for (const [path, source] of sources) {
    const { shape } = unet.weights.tensors.get(`${path}.weight`)!.entry;
    outputs[path] = source(`${path}.weight`, shape);
  }
  const session = await runtime.compile(encode(outputs), model.folder === undefined ? {} : { folder: model.folder });
  const results = await session.run({});
  await session.dispose();
  return new Map(sources.map(([path]) => [path, results[path] as Tensor<"float32">]));
}
