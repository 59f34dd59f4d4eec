import { expect, test } from "vitest";
import type { LoadedAdapter } from "../../adapters/load.ts";
import { float32 } from "../../tensor/tensor.ts";
import { startFromAdapter, startFromMerged } from "./start-values.ts";

const path = "mid_block.attentions.0.to_q";
const module = { path, down: float32([1, 2], [1, 2]), up: float32([2, 1], [3, 4]), alpha: 0.5 };
const adapter: LoadedAdapter = {
  name: "lcm.safetensors",
  dialect: "kohya",
  modules: [module],
  parameters: 4,
  rank: 1,
  alpha: 0.5,
  matched: 3,
  unmatched: [],
  leftOver: [],
  metadata: new Map(),
};

test("an adapter begins with another one's factors", () => {
  const values = startFromAdapter(adapter, { rank: 1, alpha: 0.5, targets: ["to_q"] });
  expect([...values]).toEqual([
    [`lora.${path}.lora_down.weight`, module.down],
    [`lora.${path}.lora_up.weight`, module.up],
  ]);
});

test.each([
  [
    { rank: 2, alpha: 0.5, targets: ["to_q"] },
    'its rank is 1 and its alpha 0.5 at mid_block.attentions.0.to_q, but the config has "rank" 2',
  ],
  [{ rank: 1, alpha: 1, targets: ["to_q"] }, '"alpha" 1; they must agree'],
  [{ rank: 1, alpha: 0.5, targets: ["to_k"] }, 'it adapts mid_block.attentions.0.to_q, which "targets" leaves out'],
])("an adapter of other settings is refused: %o", (config, sentence) => {
  expect(() => startFromAdapter(adapter, config)).toThrow(sentence);
});

test("a whole U-Net begins with the adapter merged in: W + alpha / rank B A", () => {
  const weights = new Map([
    [`${path}.weight`, float32([2, 2], [1, 1, 1, 1])],
    ["conv_in.bias", float32([1], [7])],
  ]);
  const values = startFromMerged(weights, adapter);
  expect([...values.get(`unet.${path}.weight`)!.data]).toEqual([2.5, 4, 3, 5]);
  expect([...values.get("unet.conv_in.bias")!.data]).toEqual([7]);
});
