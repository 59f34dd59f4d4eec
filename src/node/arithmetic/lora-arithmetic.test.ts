import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tinyConfigs, tinyLora, writeTinyModel } from "../../../test/tiny-model.ts";
import { mergeArrays, mergeDefaults } from "../../adapters/arithmetic/merge-changes.ts";
import { type LoraModule, loraDelta, loraRank } from "../../adapters/lora.ts";
import { saveAdapter } from "../../adapters/save.ts";
import { AdapterError, UsageError } from "../../errors.ts";
import { clipTextConfig } from "../../models/clip.ts";
import { clipTextTable } from "../../models/module-table.ts";
import { Mt19937 } from "../../tensor/random/mt19937.ts";
import { float32 } from "../../tensor/tensor.ts";
import { openCheckpoint, type PartName } from "./checkpoint.ts";
import { blockOf, compareVectors, differenceVector, kindOf, loraVector } from "./compare-vectors.ts";
import { extractLora } from "./extract-lora.ts";
import { heatMap } from "./heat-map.ts";
import { baseOf, findLoraBase, type LoraBase, type LoraOperand, readLoraOperand } from "./lora-operand.ts";
import { type LoraMerge, mergeLoras } from "./merge-loras.ts";
import { mergeModel } from "./merge-model.ts";
import { seedOf } from "./merge-tensor.ts";

let folder = "";
let base: LoraBase;
let style: LoraOperand;
let lcm: LoraOperand;
let words: LoraOperand;
const at = (name: string): string => join(folder, name);
const plain: Omit<LoraMerge, "output"> = { ...mergeDefaults, type: "float32" };

/** A LoRA of the text encoder's queries. */
function textLora(): Uint8Array {
  const random = new Mt19937(4);
  const modules = clipTextTable(clipTextConfig(tinyConfigs.textEncoder)).modules.filter(({ path }) =>
    path.endsWith("q_proj"),
  );
  const encoder = modules.map(
    ({ path, weight: [out = 0, inner = 0] }): LoraModule => ({
      path,
      down: float32([2, inner], random.randn(2 * inner)),
      up: float32([out, 2], random.randn(2 * out)),
      alpha: 1,
    }),
  );
  return saveAdapter([], { type: "float32", metadata: {}, textEncoders: [encoder] });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-loras-"));
  await writeTinyModel(at("base"));
  await writeFile(at("style.safetensors"), tinyLora("style", 3));
  await writeFile(at("lcm.safetensors"), tinyLora("lcm", 2));
  await writeFile(at("words.safetensors"), textLora());
  base = await findLoraBase(at("style.safetensors"), at("base"));
  [style, lcm, words] = (await Promise.all(
    ["style", "lcm", "words"].map((name) => readLoraOperand(at(`${name}.safetensors`), base)),
  )) as [LoraOperand, LoraOperand, LoraOperand];
});
afterAll(() => rm(folder, { recursive: true }));

function deltas({ parts }: LoraOperand, part: PartName = "unet"): Map<string, Float32Array> {
  return new Map((parts.get(part) ?? []).map((module) => [module.path, loraDelta(module).data]));
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}

describe("mergeLoras", () => {
  it("sums exactly, with ranks side by side and parts of both", async () => {
    const output = at("sum.safetensors");
    const result = await mergeLoras(
      [
        { lora: style, weight: 0.8 },
        { lora: lcm, weight: -1.5 },
        { lora: words, weight: 2 },
      ],
      base,
      { ...plain, output },
    );
    const sum = await readLoraOperand(output, base);
    const [a, b, found] = [deltas(style), deltas(lcm), deltas(sum)];
    expect(result.modules).toBe(a.size + deltas(words, "text_encoder").size);
    expect(result.maxError).toBeLessThan(1e-6);
    for (const [path, values] of found) {
      expect(
        largestDifference(
          values,
          values.map((_, i) => 0.8 * a.get(path)![i]! - 1.5 * b.get(path)![i]!),
        ),
      ).toBeLessThan(1e-6);
    }
    for (const [path, values] of deltas(sum, "text_encoder"))
      expect(
        largestDifference(
          values,
          deltas(words, "text_encoder")
            .get(path)!
            .map((x) => 2 * x),
        ),
      ).toBeLessThan(1e-6);
    expect(new Set(sum.parts.get("unet")!.map(loraRank))).toEqual(new Set([5]));
    expect(sum.metadata.get("ss_network_dim")).toBe("Dynamic");
    expect(sum.metadata.get("sshs_model_hash")).toMatch(/^[0-9a-f]{64}$/);
    expect(sum.metadata.get("sshs_legacy_hash")).toMatch(/^[0-9a-f]{8}$/);
  });

  it("tells what a lower rank leaves out", async () => {
    const loras = [
      { lora: style, weight: 1 },
      { lora: lcm, weight: 1 },
    ];
    const output = at("low.safetensors");
    const low = await mergeLoras(loras, base, { ...plain, rank: 2, output });
    const reduced = await readLoraOperand(output, base);
    const [a, b, found] = [deltas(style), deltas(lcm), deltas(reduced)];
    let [left, whole, most] = [0, 0, 0];
    for (const [path, values] of found) {
      const exact = a.get(path)!.map((x, i) => x + b.get(path)![i]!);
      const square = exact.reduce((sum, x) => sum + x * x, 0);
      const errorSquare = exact.reduce((sum, x, i) => sum + (x - values[i]!) ** 2, 0);
      [left, whole, most] = [left + errorSquare, whole + square, Math.max(most, Math.sqrt(errorSquare / square))];
    }
    expect(low.error).toBeCloseTo(Math.sqrt(left / whole), 5);
    expect(low.maxError).toBeCloseTo(most, 5);
    expect(low.error).toBeGreaterThan(0.01);
    const full = await mergeLoras(loras, base, { ...plain, rank: 5, output: at("full.safetensors") });
    expect(full.maxError).toBeLessThan(1e-6);
  });

  it("merges full changes by ties, not factors, and writes the best rank", async () => {
    const options = { ...plain, method: "dare-ties" as const, density: 0.5, seed: 9 };
    const output = at("ties.safetensors");
    await mergeLoras(
      [
        { lora: style, weight: 1 },
        { lora: lcm, weight: 0.5 },
      ],
      base,
      { ...options, rank: 1000, output },
    );
    const found = deltas(await readLoraOperand(output, base));
    for (const [path, values] of [...found].slice(0, 5)) {
      const seed = seedOf(`unet/${path}.weight`, 9);
      const wanted = await mergeArrays([deltas(style).get(path)!, deltas(lcm).get(path)!], [1, 0.5], {
        ...options,
        seed,
      });
      expect(largestDifference(values, wanted)).toBeLessThan(1e-5);
    }
  });

  it("goes between two on the sphere, and to their ends", async () => {
    const to = async (t: number): Promise<Map<string, Float32Array>> => {
      const output = at(`sphere-${t}.safetensors`);
      const loras = [
        { lora: style, weight: 1 },
        { lora: lcm, weight: t },
      ];
      await mergeLoras(loras, base, { ...plain, method: "slerp", output });
      return deltas(await readLoraOperand(output, base));
    };
    for (const [path, values] of await to(1))
      expect(largestDifference(values, deltas(lcm).get(path)!)).toBeLessThan(1e-5);
    const norm = (data: Float32Array): number => Math.hypot(...data);
    for (const [path, values] of await to(0.5)) {
      // A linear mean of two that have nothing to do with each other would be shorter than both.
      const [a, b] = [norm(deltas(style).get(path)!), norm(deltas(lcm).get(path)!)];
      expect(norm(values)).toBeGreaterThan(0.9 * Math.min(a, b));
    }
  });

  it("refuses outputs of other kinds, and writes nothing", async () => {
    const before = await readdir(folder);
    const loras = [{ lora: style, weight: 1 }];
    await expect(mergeLoras(loras, base, { ...plain, output: at("folder") })).rejects.toThrow(UsageError);
    await expect(mergeLoras(loras, base, { ...plain, output: at("style.safetensors") })).rejects.toThrow(UsageError);
    await expect(
      mergeLoras([{ lora: style, weight: 0 }], base, { ...plain, output: at("x.safetensors") }),
    ).rejects.toThrow();
    expect(await readdir(folder)).toEqual(before);
  });
});

describe("extractLora", () => {
  const merged = async (name: string, loras: readonly LoraOperand[]): Promise<string> => {
    await using model = await openCheckpoint(at("base"));
    const terms = loras.map((lora) => ({ kind: "lora" as const, weight: 1, lora }));
    await mergeModel(model, terms, { ...mergeDefaults, baseWeight: 1, metadata: {}, output: at(name) });
    return at(name);
  };

  it("finds merged LoRAs again, of convolutions and the text encoder as well", async () => {
    await using tuned = await openCheckpoint(await merged("tuned", [style, words]));
    await using own = await openCheckpoint(at("base"));
    const output = at("extracted.safetensors");
    const result = await extractLora(tuned, own, { wanted: { rank: 3 }, type: "float32", output });
    expect(result.leftOut).toEqual([]);
    expect(result.maxError).toBeLessThan(1e-4);
    expect(result.layers).toHaveLength(result.modules);
    const found = await readLoraOperand(output, base);
    for (const part of ["unet", "text_encoder"] as const) {
      const wanted = deltas(part === "unet" ? style : words, part);
      expect([...deltas(found, part).keys()].sort()).toEqual([...wanted.keys()].sort());
      for (const [path, values] of deltas(found, part))
        expect(largestDifference(values, wanted.get(path)!)).toBeLessThan(1e-5);
    }
  });

  it("takes the rank that each layer needs", async () => {
    await using tuned = await openCheckpoint(await merged("tuned-energy", [style]));
    await using own = await openCheckpoint(at("base"));
    const output = at("energy.safetensors");
    const result = await extractLora(tuned, own, { wanted: { energy: 0.9 }, type: "float32", output });
    for (const { rank, error } of result.layers) {
      expect(rank).toBeLessThanOrEqual(3);
      expect(error ** 2).toBeLessThanOrEqual(0.1 + 1e-6);
    }
    expect(result.layers.some(({ rank }) => rank < 3)).toBe(true);
  });

  it("refuses two equal models", async () => {
    await using own = await openCheckpoint(at("base"));
    await using same = await openCheckpoint(at("base"));
    const extraction = { wanted: { rank: 3 }, type: "float32", output: at("none.safetensors") } as const;
    await expect(extractLora(same, own, extraction)).rejects.toThrow(AdapterError);
  });
});

describe("compareVectors", () => {
  it("finds a vector the same as itself, and opposite to itself negated", async () => {
    const same = await compareVectors(loraVector(style), loraVector(style), { directions: 2 });
    expect(same.all.cosine).toBeCloseTo(1, 6);
    expect(same.all.inputs).toBeCloseTo(1, 6);
    expect(same.all.outputs).toBeCloseTo(1, 6);
    const negated = {
      ...style,
      parts: new Map([["unet", style.parts.get("unet")!.map((m) => ({ ...m, alpha: -m.alpha }))]] as const),
    };
    const opposite = await compareVectors(loraVector(style), loraVector(negated), { directions: 2 });
    expect(opposite.all.cosine).toBeCloseTo(-1, 6);
  });

  it("agrees with sums over the full changes, by block and in all", async () => {
    const { all, blocks, cells } = await compareVectors(loraVector(style), loraVector(lcm), { directions: 2 });
    const [a, b] = [deltas(style), deltas(lcm)];
    const cosineOf = (paths: readonly string[]): number => {
      let [aa, bb, ab] = [0, 0, 0];
      for (const path of paths) {
        for (const [i, x] of a.get(path)!.entries()) {
          const y = b.get(path)![i]!;
          [aa, bb, ab] = [aa + x * x, bb + y * y, ab + x * y];
        }
      }
      return ab / Math.sqrt(aa * bb);
    };
    expect(all.cosine).toBeCloseTo(cosineOf([...a.keys()]), 5);
    const mid = [...a.keys()].filter((path) => path.startsWith("mid_block"));
    expect(blocks["mid_block"]!.cosine).toBeCloseTo(cosineOf(mid), 5);
    expect(cells["mid_block"]!["conv1"]).toBeCloseTo(cosineOf(mid.filter((path) => path.endsWith("conv1"))), 5);
    expect(all.normA).toBeCloseTo(
      Math.sqrt([...a.values()].reduce((sum, d) => sum + d.reduce((s, x) => s + x * x, 0), 0)),
      3,
    );
  });

  it("compares a model's difference with a LoRA", async () => {
    await using own = await openCheckpoint(at("base"));
    await mergeModel(own, [{ kind: "lora", weight: 1, lora: style }], {
      ...mergeDefaults,
      baseWeight: 1,
      metadata: {},
      output: at("compared"),
    });
    await using tuned = await openCheckpoint(at("compared"));
    const { all } = await compareVectors(differenceVector(tuned, own), loraVector(style), { directions: 2 });
    expect(all.cosine).toBeCloseTo(1, 5);
    expect(all.inputs).toBeCloseTo(1, 4);
    expect(baseOf(own).family).toBeUndefined();
  });

  it("counts layers of one alone, and refuses vectors without a layer in common", async () => {
    const both = { ...words, parts: new Map([...words.parts, ...style.parts]) };
    const { all } = await compareVectors(loraVector(style), loraVector(both), { directions: 2 });
    expect(all.onlyB).toBe(words.parts.get("text_encoder")!.length);
    await expect(compareVectors(loraVector(style), loraVector(words), { directions: 2 })).rejects.toThrow(AdapterError);
  });

  it("draws a map with a cell for each block and kind", async () => {
    const result = await compareVectors(loraVector(style), loraVector(lcm), { directions: 2 });
    const svg = heatMap(result, 'a <b> & "c"');
    expect(svg).toContain("a &#60;b&#62; &#38; &#34;c&#34;");
    const drawn = Object.values(result.cells).reduce((sum, row) => sum + Object.keys(row).length, 0);
    expect(svg.match(/text-anchor/g)).toHaveLength(drawn);
  });
});

it("names blocks and kinds of layers", () => {
  expect(blockOf("unet/down_blocks.1.attentions.0.proj_in")).toBe("down_blocks.1");
  expect(blockOf("unet/mid_block.resnets.0.conv1")).toBe("mid_block");
  expect(blockOf("text_encoder/text_model.encoder.layers.0.mlp.fc1")).toBe("text_encoder");
  expect(kindOf("unet/up_blocks.0.attentions.0.transformer_blocks.0.attn2.to_out.0")).toBe("attn2.to_out.0");
  expect(kindOf("text_encoder/text_model.encoder.layers.0.mlp.fc1")).toBe("fc1");
});
