import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { alphaFromPeftConfig } from "../../src/adapters/alpha.ts";
import { dialects } from "../../src/adapters/keys/index.ts";
import { loadModelAdapter, type ModelAdapter } from "../../src/adapters/load.ts";
import { loraWeightShape } from "../../src/adapters/lora.ts";
import type { ModuleShape } from "../../src/adapters/targets.ts";
import { AdapterError, FormatError } from "../../src/errors.ts";
import { bytesSource } from "../../src/formats/byte-source.ts";
import { openTensorFile } from "../../src/formats/open-tensor-file.ts";
import { encodeSafetensors } from "../../src/formats/safetensors.ts";
import { elementCount, type Tensor } from "../../src/tensor/tensor.ts";

const seed = 20231109;

/** A layer of each kind, whose names are beginnings of each other. */
const layers: readonly ModuleShape[] = [
  { path: "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", kind: "linear", weight: [4, 4] },
  { path: "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0", kind: "linear", weight: [4, 4] },
  { path: "down_blocks.0.resnets.0.conv1", kind: "conv", weight: [4, 2, 3, 3] },
  { path: "down_blocks.0.resnets.0.norm1", kind: "norm", weight: [4] },
  { path: "proj", kind: "linear", weight: [2, 4] },
];
const parts = { unet: layers, textEncoder: [{ path: "text_model.proj", kind: "linear", weight: [2, 4] }] as const };
/** All spellings of the layers by dialects that share an ending, with the weight's shape. */
const spelled = dialects
  .filter(({ endings }) => ".lora_down.weight" in endings)
  .flatMap(({ beginnings, spell }) =>
    (["unet", "textEncoder"] as const).flatMap((part) => {
      const weights = new Map<string, readonly number[]>(parts[part].map(({ path, weight }) => [path, weight]));
      return [...spell(parts[part], part)].flatMap(([spelling, path]) =>
        (beginnings[part] ?? []).map((begin) => [begin + spelling, weights.get(path)!] as const),
      );
    }),
  );
const stems = spelled.map(([stem]) => stem);
const endings = dialects.flatMap((dialect) => Object.keys(dialect.endings));

const strange = fc.constantFrom(
  "__proto__",
  "constructor",
  "toString",
  "",
  ".",
  "_",
  "..",
  "\u0000",
  "\u202e",
  "😀",
  "\ud800",
);
const stem = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...stems) },
  { weight: 1, arbitrary: strange },
  fc.string(),
);
const ending = fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...endings) }, { weight: 1, arbitrary: strange });
const key = fc.tuple(stem, ending).map(([a, b]) => a + b);
const side = fc.constantFrom(0, 1, 2, 3, 4, 8, 9, 18);
const shape = fc.oneof(
  fc.array(side, { maxLength: 5 }),
  fc.constantFrom([2, 4], [4, 2], [4, 4], [2, 2, 3, 3], [4, 2, 1, 1], [2, 2, 2], [4], [], [1, 4]),
);
const number = fc.oneof(
  { weight: 8, arbitrary: fc.double({ min: -2, max: 2, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(0, Number.NaN, Number.POSITIVE_INFINITY, 3e38) },
);
const value = fc.oneof({ weight: 12, arbitrary: fc.constant(0.5) }, { weight: 1, arbitrary: number });
const tensor: fc.Arbitrary<Tensor> = fc
  .record({ shape, value: number, step: number })
  .map(({ shape, value, step }) => ({
    type: "float32",
    shape,
    data: Float32Array.from({ length: elementCount(shape) }, (_, i) => value + step * (i % 3)),
  }));

const filledWith = (sides: readonly number[], value: number): Tensor => ({
  type: "float32",
  shape: sides,
  data: new Float32Array(elementCount(sides)).fill(value),
});

/** A LoRA of a layer, and now and then a rank that its halves do not share. */
const lora = fc
  .record({
    layer: fc.constantFrom(...spelled),
    rank: fc.integer({ min: 1, max: 3 }),
    other: fc.integer({ min: 0, max: 40 }),
    value,
  })
  .map(({ layer: [stem, [out = 0, ...inner]], rank, other, value }): [string, Tensor][] => [
    [`${stem}.lora_down.weight`, filledWith([rank, ...inner], value)],
    [`${stem}.lora_up.weight`, filledWith([out, other === 0 ? rank + 1 : rank], value)],
  ]);
const difference = fc
  .record({ layer: fc.constantFrom(...spelled), value })
  .map(({ layer: [stem, weight], value }): [string, Tensor][] => [[`${stem}.diff`, filledWith(weight, value)]]);
const stray = fc.tuple(strange, ending, tensor).map(([a, b, tensor]): [string, Tensor][] => [[a + b, tensor]]);
const loose = fc.tuple(key, tensor).map((entry): [string, Tensor][] => [entry]);

const file = fc
  .oneof(
    { weight: 3, arbitrary: fc.array(fc.oneof(lora, difference, stray), { maxLength: 4 }) },
    { weight: 1, arbitrary: fc.array(fc.oneof(lora, loose), { maxLength: 5 }) },
  )
  .map((groups) => new Map<string, Tensor>(groups.flat()));

async function load(tensors: ReadonlyMap<string, Tensor>): Promise<ModelAdapter> {
  return loadModelAdapter(await openTensorFile(bytesSource("x.safetensors", encodeSafetensors(tensors, {}))), parts);
}

describe("adapters of any keys and shapes", () => {
  it("are read whole or refused in a sentence, and every key is accounted for", async () => {
    const outcomes = { read: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(file, async (tensors) => {
        let adapter: ModelAdapter;
        try {
          adapter = await load(tensors);
        } catch (error) {
          // A key that is no Unicode text cannot be in a file at all.
          if (!(error instanceof AdapterError || error instanceof FormatError)) throw error;
          expect(error.message).toMatch(/^x\.safetensors: .*[.?]$/);
          expect(error.message.length).toBeLessThan(1200);
          outcomes.refused++;
          return;
        }
        outcomes.read++;
        expect(adapter.matched + adapter.unmatched.length + adapter.leftOver.length).toBe(tensors.size);
        for (const [part, { modules, changes }] of [
          ["unet", adapter],
          ["textEncoder", adapter.textEncoder],
        ] as const) {
          const weights = new Map<string, readonly number[]>(parts[part].map(({ path, weight }) => [path, weight]));
          for (const module of modules) expect(loraWeightShape(module)).toEqual(weights.get(module.path));
          for (const change of changes) {
            const weight = weights.get(change.path)!;
            const sides = change.parameter === "weight" ? weight : weight.slice(0, 1);
            const size = elementCount(sides);
            expect(change.delta(new Float32Array(size).fill(0.5)).length).toBe(size);
          }
        }
      }),
      { seed, numRuns: 600 },
    );
    // Neither is a rare exception.
    expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(50);
  });

  it("take configurations of any text", () => {
    const json = fc.oneof(
      fc.json(),
      fc
        .record({
          lora_alpha: fc.jsonValue(),
          alpha_pattern: fc.dictionary(fc.string(), fc.jsonValue()),
          r: fc.jsonValue(),
        })
        .map((value) => JSON.stringify(value)),
      fc
        .dictionary(fc.stringMatching(/^[a-z.*+?()[\]^$|\\]{0,12}$/), fc.integer({ min: 1, max: 9 }))
        .map((alpha_pattern) => JSON.stringify({ lora_alpha: 4, alpha_pattern })),
    );
    fc.assert(
      fc.property(json, (text) => {
        try {
          const rule = alphaFromPeftConfig(text);
          expect(rule(layers[0]!.path, 2)).toBeGreaterThan(0);
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
          expect(error.message).toMatch(/^adapter_config\.json: .*\.$/s);
        }
      }),
      { seed, numRuns: 1000 },
    );
  });
});
