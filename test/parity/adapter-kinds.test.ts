import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { alphaFromPeftConfig } from "../../src/adapters/alpha.ts";
import { groupByPath } from "../../src/adapters/combine.ts";
import { loadModelAdapter, type ModelAdapter } from "../../src/adapters/load.ts";
import { fullyChanged, lowRankParts, mergeParameter } from "../../src/adapters/merge-parameter.ts";
import type { ModuleShape } from "../../src/adapters/targets.ts";
import { bytesSource } from "../../src/formats/byte-source.ts";
import { openTensorFile } from "../../src/formats/open-tensor-file.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/formats/safetensors.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

/**
 * Adapters of every kind as LyCORIS and PEFT make them, and the weights that layers have with them; see
 * `scripts/fixtures/adapter-kinds.py`.
 */
const path = "test/fixtures/adapters/kinds.safetensors";
const bytes = readFileSync(path);
const fixture = decodeSafetensors(bytes, path);
const metadata = (await openTensorFile(bytesSource(path, bytes))).metadata;

const base = new Map<string, Tensor>();
const adapters = new Map<string, Record<string, Tensor>>();
const results: {
  readonly name: string;
  readonly weight: number;
  readonly parameter: string;
  readonly tensor: Tensor;
}[] = [];
for (const [key, tensor] of fixture) {
  const equals = key.indexOf("=");
  if (key.startsWith("base/")) base.set(key.slice(5), tensor);
  else if (equals > 0) {
    const [name = "", weight = "1"] = key.slice(0, equals).split("@");
    results.push({ name, weight: Number(weight), parameter: key.slice(equals + 1), tensor });
  } else {
    const [name = ""] = key.split("/", 1);
    const own = adapters.get(name) ?? {};
    own[key.slice(name.length + 1)] = tensor;
    adapters.set(name, own);
  }
}

const layers: ModuleShape[] = [...base].flatMap(([name, { shape }]): ModuleShape[] => {
  if (!name.endsWith(".weight")) return [];
  const kind = shape.length === 1 ? "norm" : shape.length === 2 ? "linear" : "conv";
  return [{ path: name.slice(0, -".weight".length), kind, weight: shape }];
});

async function read(name: string): Promise<ModelAdapter> {
  const file = await openTensorFile(bytesSource(`${name}.safetensors`, encodeSafetensors(adapters.get(name)!)));
  const config = metadata.get(name);
  return loadModelAdapter(
    file,
    { unet: layers },
    config === undefined ? {} : { alphaRule: alphaFromPeftConfig(config) },
  );
}

/** A parameter with an adapter merged in, as models do it. */
function merged(adapter: ModelAdapter, lambda: number, parameter: string): Float32Array {
  const weighted = [{ lambda, modules: adapter.modules, changes: adapter.changes }];
  const path = parameter.slice(0, parameter.lastIndexOf("."));
  const parts = fullyChanged(weighted).get(parameter) ?? {
    path,
    products: parameter.endsWith(".weight") ? (groupByPath(lowRankParts(weighted)).get(path) ?? []) : [],
    changes: [],
  };
  return mergeParameter(parameter, base.get(parameter)!, parts).data as Float32Array;
}

/** What an adapter of each case is told to be. */
const kinds: Readonly<Record<string, string>> = {
  lora: "LoRA",
  tucker: "LoRA",
  locon: "LoRA",
  dora: "DoRA",
  loha: "LoHa",
  lokr: "LoKr",
  full: "full",
  norm: "norm",
  ia3: "IA3",
  oft: "OFT",
  boft: "BOFT",
  glora: "GLoRA",
  bias: "LoRA",
  stabilised: "LoRA",
  patterns: "LoRA",
  expression: "LoRA",
};

describe("adapters of LyCORIS and PEFT", () => {
  it.each(results.map(({ name, weight, parameter, tensor }) => [name, weight, parameter, tensor] as const))(
    "%s, weight %d: %s",
    async (name, weight, parameter, expected) => {
      const adapter = await read(name);
      expect([adapter.unmatched, adapter.leftOver]).toEqual([[], []]);
      const first = kinds[name.replace("peft-", "").split("-")[0]!];
      expect(adapter.kinds[0]).toBe(name.endsWith("-norms") ? `${first} with norms` : first);
      const found = merged(adapter, weight, parameter);
      const wanted = expected.data as Float32Array;
      const before = base.get(parameter)!.data as Float32Array;
      expect(largestDistance(found, wanted)).toBeLessThan(1e-5);
      // The adapter does something, so that leaving it out would be seen.
      expect(largestDistance(before, wanted)).toBeGreaterThan(1e-2);
    },
  );

  it("covers every kind", () => {
    expect(results.length).toBeGreaterThan(50);
    expect([...adapters.keys()].filter((name) => !results.some((result) => result.name === name))).toEqual([]);
  });
});

function largestDistance(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
}
