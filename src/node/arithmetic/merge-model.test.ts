import { readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type OriginalName, originalPath, smallFamily } from "../../../test/original-family.ts";
import { tinyLora, writeTinyModel } from "../../../test/tiny-model.ts";
import { mergeArrays, mergeDefaults } from "../../adapters/arithmetic/merge-changes.ts";
import { slerpFactors } from "../../adapters/arithmetic/slerp.ts";
import { mergeAdapters } from "../../adapters/combine.ts";
import { AdapterError, UsageError } from "../../errors.ts";
import { decodeSafetensors, encodeSafetensors } from "../../formats/safetensors.ts";
import { readEntry } from "../../formats/tensor-entry.ts";
import { toFloat32 } from "../../tensor/convert.ts";
import { Mt19937 } from "../../tensor/random/mt19937.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import { baseOf, readLoraOperand } from "./lora-operand.ts";
import { type ModelMerge, mergeModel } from "./merge-model.ts";
import { seedOf } from "./merge-tensor.ts";
import type { ModelTerm } from "./model-terms.ts";

let folder = "";
const at = (name: string): string => join(folder, name);
const plain: Omit<ModelMerge, "output"> = { ...mergeDefaults, baseWeight: 1, metadata: {} };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-merge-"));
  await writeTinyModel(at("base"));
  await writeFile(at("style.safetensors"), tinyLora("style", 3));
  await writeFile(at("lcm.safetensors"), tinyLora("lcm", 2));
});
afterAll(() => rm(folder, { recursive: true }));

const unetFile = "unet/diffusion_pytorch_model.safetensors";
const tensorsOf = (path: string): Map<string, Tensor> => decodeSafetensors(readFileSync(path), path);

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}

/** Another model of the same kind: the file's floats, moved by chance. */
async function moved(name: OriginalName, seed: number): Promise<string> {
  const path = at(`${name}-${seed}.safetensors`);
  const random = new Mt19937(seed);
  const metadata = { configs: "" };
  const tensors = Array.from(tensorsOf(originalPath(`${name}.safetensors`)), ([key, tensor]): [string, Tensor] => {
    if (tensor.type !== "float32" && tensor.type !== "float16") return [key, tensor];
    const { shape, data } = toFloat32(tensor);
    const noise = random.randn(data.length);
    return [key, { type: "float32", shape, data: data.map((x, i) => x + 0.1 * noise[i]!) }];
  });
  await writeFile(path, encodeSafetensors(new Map(tensors), metadata));
  return path;
}

/** All parameters by the names that models ask for. */
async function parametersOf({ parameters }: Checkpoint): Promise<Map<string, Float32Array>> {
  const read = new Map<string, Float32Array>();
  for (const [name, { source, entry }] of parameters) read.set(name, toFloat32(await readEntry(source, entry)).data);
  return read;
}

describe("mergeModel, of a folder", () => {
  const loraTerms = async (base: Checkpoint): Promise<ModelTerm[]> => [
    { kind: "lora", weight: 0.8, lora: await readLoraOperand(at("style.safetensors"), baseOf(base)) },
    { kind: "lora", weight: -0.5, lora: await readLoraOperand(at("lcm.safetensors"), baseOf(base)) },
  ];

  it("adds LoRAs as merging in float64 does, and leaves the rest as it is", async () => {
    await using base = await openCheckpoint(at("base"));
    const terms = await loraTerms(base);
    const result = await mergeModel(base, terms, { ...plain, output: at("merged") });
    const own = tensorsOf(at(`base/${unetFile}`));
    const wanted = mergeAdapters(
      own,
      terms.map((term) => ({ lambda: term.weight, modules: term.kind === "lora" ? term.lora.parts.get("unet")! : [] })),
    );
    const found = tensorsOf(at(`merged/${unetFile}`));
    expect([...found.keys()].sort()).toEqual([...own.keys()].sort());
    let changed = 0;
    for (const [name, { data }] of wanted) {
      expect(largestDifference(found.get(name)!.data as Float32Array, data as Float32Array)).toBeLessThan(1e-6);
      if (data !== own.get(name)!.data) changed++;
    }
    expect(result.modules).toBe(changed);
    expect(result.maxError).toBeGreaterThan(0);
    expect(result.maxError).toBeLessThan(1e-7);
    for (const file of ["vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"]) {
      expect(new Map(tensorsOf(at(`merged/${file}`)))).toEqual(new Map(tensorsOf(at(`base/${file}`))));
    }
    for (const file of [
      "model_index.json",
      "unet/config.json",
      "tokenizer/vocab.json",
      "scheduler/scheduler_config.json",
    ]) {
      expect(await readFile(at(`merged/${file}`), "utf8")).toBe(await readFile(at(`base/${file}`), "utf8"));
    }
    await using opened = await openCheckpoint(at("merged"));
    expect(opened.parameters.size).toBe(base.parameters.size);
  });

  it("takes a LoRA out again", async () => {
    await using base = await openCheckpoint(at("base"));
    const [term] = await loraTerms(base);
    await mergeModel(base, [term!], { ...plain, output: at("with") });
    await using with_ = await openCheckpoint(at("with"));
    await mergeModel(with_, [{ ...term!, weight: -term!.weight }], { ...plain, output: at("without") });
    const [own, back] = [tensorsOf(at(`base/${unetFile}`)), tensorsOf(at(`without/${unetFile}`))];
    for (const [name, { data }] of own)
      expect(largestDifference(back.get(name)!.data as Float32Array, data as Float32Array)).toBeLessThan(1e-6);
  });

  it("adds changes that are no low-rank products, also of what lies beside weights", async () => {
    const own = tensorsOf(at(`base/${unetFile}`));
    const path = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
    const random = new Mt19937(4);
    const matrix = (rows: number, columns: number): Tensor<"float32"> => ({
      type: "float32",
      shape: [rows, columns],
      data: random.randn(rows * columns),
    });
    const { shape } = own.get(`${path}.weight`)!;
    const [out, width] = shape as [number, number];
    const [w1a, w1b, w2a, w2b] = [matrix(out, 3), matrix(3, width), matrix(out, 3), matrix(3, width)];
    const bias = "conv_in.bias";
    const difference: Tensor<"float32"> = {
      type: "float32",
      shape: own.get(bias)!.shape,
      data: random.randn(own.get(bias)!.shape[0]!),
    };
    const name = `lora_unet_${path.replaceAll(".", "_")}`;
    const loha = new Map<string, Tensor>([
      [`${name}.hada_w1_a`, w1a],
      [`${name}.hada_w1_b`, w1b],
      [`${name}.hada_w2_a`, w2a],
      [`${name}.hada_w2_b`, w2b],
      [`${name}.alpha`, { type: "float32", shape: [], data: Float32Array.of(1.5) }],
      ["lora_unet_conv_in.diff_b", difference],
    ]);
    await writeFile(at("loha.safetensors"), encodeSafetensors(loha, {}));
    await using base = await openCheckpoint(at("base"));
    const lora = await readLoraOperand(at("loha.safetensors"), baseOf(base));
    const terms: ModelTerm[] = [{ kind: "lora", weight: 0.8, lora }];
    const { modules } = await mergeModel(base, terms, { ...plain, output: at("with-loha") });
    expect(modules).toBe(2);
    const found = tensorsOf(at(`with-loha/${unetFile}`));
    const product = (a: Tensor<"float32">, b: Tensor<"float32">, row: number, column: number): number =>
      [0, 1, 2].reduce((sum, r) => sum + a.data[3 * row + r]! * b.data[r * width + column]!, 0);
    const merged = (own.get(`${path}.weight`)!.data as Float32Array).map((x, at) => {
      const [row, column] = [Math.floor(at / width), at % width];
      return x + 0.8 * (1.5 / 3) * product(w1a, w1b, row, column) * product(w2a, w2b, row, column);
    });
    expect(largestDifference(found.get(`${path}.weight`)!.data as Float32Array, merged)).toBeLessThan(1e-5);
    const moved = (own.get(bias)!.data as Float32Array).map((x, i) => x + 0.8 * difference.data[i]!);
    expect(largestDifference(found.get(bias)!.data as Float32Array, moved)).toBeLessThan(1e-6);
  });

  it("writes another type and tells the rounding", async () => {
    await using base = await openCheckpoint(at("base"));
    const result = await mergeModel(base, await loraTerms(base), { ...plain, type: "float16", output: at("half") });
    const tensors = [...tensorsOf(at(`half/${unetFile}`)).values()];
    expect(new Set(tensors.map(({ type }) => type))).toEqual(new Set(["float16"]));
    expect(result.error).toBeGreaterThan(1e-5);
    expect(result.error).toBeLessThan(5e-4);
    expect(result.maxError).toBeGreaterThanOrEqual(result.error);
  });

  it.each(["ties", "dare-ties", "dare-linear", "magnitude-prune"] as const)("merges changes by %s", async (method) => {
    await using base = await openCheckpoint(at("base"));
    const terms = await loraTerms(base);
    const options = { ...plain, method, density: 0.4, seed: 3 };
    await mergeModel(base, terms, { ...options, output: at(method) });
    const path = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q";
    const deltas = await Promise.all(
      terms.map(async (term) => {
        const zero = new Map(
          Array.from(tensorsOf(at(`base/${unetFile}`)), ([name, tensor]) => [
            name,
            { ...tensor, data: new Float32Array(tensor.data.length) } as Tensor,
          ]),
        );
        const modules = term.kind === "lora" ? term.lora.parts.get("unet")! : [];
        return mergeAdapters(zero, [{ lambda: 1, modules }]).get(`${path}.weight`)!.data as Float32Array;
      }),
    );
    const change = await mergeArrays(
      deltas,
      terms.map(({ weight }) => weight),
      { ...options, seed: seedOf(`unet/${path}.weight`, 3) },
    );
    const own = tensorsOf(at(`base/${unetFile}`)).get(`${path}.weight`)!.data as Float32Array;
    const found = tensorsOf(at(`${method}/${unetFile}`)).get(`${path}.weight`)!.data as Float32Array;
    expect(
      largestDifference(
        found,
        own.map((x, i) => x + change[i]!),
      ),
    ).toBeLessThan(1e-6);
    expect(largestDifference(found, own)).toBeGreaterThan(1e-4);
  });

  it("leaves nothing behind where it cannot go on", async () => {
    await using base = await openCheckpoint(at("base"));
    const stop = new AbortController();
    const before = await readdir(folder);
    const run = mergeModel(base, await loraTerms(base), {
      ...plain,
      output: at("stopped"),
      signal: stop.signal,
      onTensor: (done) => {
        if (done === 20) stop.abort();
      },
    });
    await expect(run).rejects.toThrow();
    expect(await readdir(folder)).toEqual(before);
  });

  it("refuses numbers that are not finite, and those beyond the type", async () => {
    await using base = await openCheckpoint(at("base"));
    const [term] = await loraTerms(base);
    const before = await readdir(folder);
    for (const [weight, type] of [
      [Number.NaN, "float32"],
      [1e30, "float16"],
    ] as const) {
      const run = mergeModel(base, [{ ...term!, weight }], { ...plain, type, output: at("damaged") });
      await expect(run).rejects.toThrow(AdapterError);
    }
    expect(await readdir(folder)).toEqual(before);
  });

  it("refuses its own inputs, and names of another layout, as output", async () => {
    await using base = await openCheckpoint(at("base"));
    await expect(mergeModel(base, [], { ...plain, output: at("base") })).rejects.toThrow(UsageError);
    await expect(mergeModel(base, [], { ...plain, output: at("one.safetensors") })).rejects.toThrow(UsageError);
  });
});

describe("mergeModel, of single files", () => {
  it.each(["sd1", "sd2", "sdxl"] as const)("makes A + 0.5 B - 0.5 C of %s, parameter by parameter", async (name) => {
    const families = [await smallFamily(name)];
    await using base = await openCheckpoint(originalPath(`${name}.safetensors`), { families });
    await using second = await openCheckpoint(await moved(name, 1), { families });
    await using third = await openCheckpoint(await moved(name, 2), { families });
    const output = at(`${name}-sum.safetensors`);
    await mergeModel(
      base,
      [
        { kind: "model", weight: 0.5, model: second },
        { kind: "model", weight: -0.5, model: third },
      ],
      { ...plain, type: "float32", output },
    );
    await using merged = await openCheckpoint(output, { families });
    const [a, b, c, found] = await Promise.all([base, second, third, merged].map(parametersOf));
    expect(found!.size).toBe(a!.size);
    for (const [key, values] of found!) {
      const wanted = a!.get(key)!.map((x, i) => x + 0.5 * b!.get(key)![i]! - 0.5 * c!.get(key)![i]!);
      expect(largestDifference(values, wanted)).toBeLessThan(1e-6);
    }
    expect([...tensorsOf(output).keys()].sort()).toEqual(
      [...tensorsOf(originalPath(`${name}.safetensors`)).keys()].sort(),
    );
  });

  it("goes between two on the sphere", async () => {
    const families = [await smallFamily("sd1")];
    await using base = await openCheckpoint(originalPath("sd1.safetensors"), { families });
    await using second = await openCheckpoint(await moved("sd1", 1), { families });
    const output = at("sphere.safetensors");
    await mergeModel(base, [{ kind: "model", weight: 0.3, model: second }], {
      ...plain,
      method: "slerp",
      type: "float32",
      output,
    });
    await using merged = await openCheckpoint(output, { families });
    const [a, b, found] = await Promise.all([base, second, merged].map(parametersOf));
    for (const [key, values] of found!) {
      const [x, y] = [a!.get(key)!, b!.get(key)!];
      const dot = (p: Float32Array, q: Float32Array): number => p.reduce((sum, one, i) => sum + one * q[i]!, 0);
      const [first, other] = slerpFactors(dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y)), 0.3);
      expect(
        largestDifference(
          values,
          x.map((one, i) => first * one + other * y[i]!),
        ),
      ).toBeLessThan(1e-5);
    }
  });

  it("refuses models of two kinds and writes nothing", async () => {
    await using base = await openCheckpoint(originalPath("sd1.safetensors"), { families: [await smallFamily("sd1")] });
    await using other = await openCheckpoint(originalPath("sdxl.safetensors"), {
      families: [await smallFamily("sdxl")],
    });
    const before = await readdir(folder);
    const run = mergeModel(base, [{ kind: "model", weight: 1, model: other }], {
      ...plain,
      output: at("no.safetensors"),
    });
    await expect(run).rejects.toThrow(AdapterError);
    expect(await readdir(folder)).toEqual(before);
  });
});
