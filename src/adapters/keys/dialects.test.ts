import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readModuleTable } from "../../../test/module-table.ts";
import { tinyConfigs } from "../../../test/tiny-model.ts";
import { stableDiffusionXl } from "../../models/checkpoint/families/stable-diffusion-xl.ts";
import { clipTextConfig } from "../../models/clip.ts";
import { clipTextTable } from "../../models/module-table.ts";
import { dialects } from "./index.ts";
import { matchKeys, type PartModules } from "./match.ts";

/** Names that diffusers, PEFT and LyCORIS gave; see `scripts/fixtures/adapter-names.py`. */
const { madeWith: _, ...names } = JSON.parse(readFileSync("test/fixtures/adapters/names.json", "utf8")) as Record<
  string,
  Record<string, string>
>;
const { sdxl = {}, ...tiny } = names;

const tinyText = { ...tinyConfigs.textEncoder, num_hidden_layers: 2 };
const tinyParts: PartModules = {
  unet: readModuleTable("tiny"),
  textEncoder: clipTextTable(clipTextConfig(tinyText)).modules,
};
const partNames = { unet: "unet", textEncoder: "text_encoder", textEncoder2: "text_encoder_2" } as const;

/** The module of each key, as `unet.PATH`. */
function modulesOf(keys: Iterable<string>, parts: PartModules): Map<string, string> {
  const match = matchKeys(keys, parts, dialects, "x.safetensors");
  expect([match.unmatched, match.leftOver]).toEqual([[], []]);
  return new Map(
    match.modules.flatMap(({ part, model, keys }) =>
      [...keys.values()].map((key) => [key, `${partNames[part]}.${model.path}`] as const),
    ),
  );
}

/** Transformers 5 has left out a step of its paths. */
const withTextModel = (layer: string): string =>
  layer.replace(/^(text_encoder(?:_2)?)\.(?:text_model\.)?/, "$1.text_model.");

const told: Readonly<Record<string, string>> = {
  peft: "peft",
  kohya: "kohya",
  lycoris: "kohya",
  "lycoris-kohya": "kohya",
  "base-model": "peft",
  "base-model-named": "peft",
};

describe("dialects", () => {
  it.each(Object.entries(tiny))("%s: names that the reference gave are those of its layers", (name, keys) => {
    const found = modulesOf(Object.keys(keys), tinyParts);
    for (const [key, layer] of Object.entries(keys)) expect([key, found.get(key)]).toEqual([key, withTextModel(layer)]);
    expect(found.size).toBeGreaterThan(50);
    const unet = Object.keys(keys).filter((key) => !/text_encoder|lora_te_/.test(key));
    expect(matchKeys(unet, tinyParts, dialects, "x").dialect).toBe(told[name]);
  });

  it("kohya's first names of SDXL and of its text encoders are those that diffusers makes of them", () => {
    const [first, second] = stableDiffusionXl.textEncoders.map(
      ({ config }) => clipTextTable(clipTextConfig(config)).modules,
    );
    const parts: PartModules = { unet: readModuleTable("sdxl"), textEncoder: first!, textEncoder2: second! };
    const kohya = modulesOf(Object.keys(sdxl), parts);
    const diffusers = modulesOf(Object.values(sdxl), parts);
    for (const [key, converted] of Object.entries(sdxl)) {
      expect(kohya.get(key)).toBeDefined();
      expect([key, kohya.get(key)]).toEqual([key, diffusers.get(converted)]);
    }
    expect(new Set([...kohya.values()].map((layer) => layer.split(".")[0]))).toEqual(
      new Set(["unet", "text_encoder", "text_encoder_2"]),
    );
  });
});
