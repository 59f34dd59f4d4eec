import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readModuleTable } from "../../test/module-table.ts";
import { AdapterError } from "../errors.ts";
import { bytesSource } from "../formats/byte-source.ts";
import { openTensorFile } from "../formats/open-tensor-file.ts";
import { decodeSafetensors, encodeSafetensors } from "../formats/safetensors.ts";
import { readLocated } from "../formats/tensor-file.ts";
import { stableDiffusion1 } from "../models/checkpoint/families/stable-diffusion-1.ts";
import { stableDiffusion2 } from "../models/checkpoint/families/stable-diffusion-2.ts";
import { clipTextConfig } from "../models/clip.ts";
import { clipTextTable, unetTable } from "../models/module-table.ts";
import { unetConfig } from "../models/unet/config.ts";
import { float32, type Tensor } from "../tensor/tensor.ts";
import { alphaFromPeftConfig } from "./alpha.ts";
import { adapterFromTensors, type LoadedAdapter, type LoadOptions, loadAdapter, loadModelAdapter } from "./load.ts";
import { loraScale } from "./lora.ts";
import { type ModuleShape, targetModules } from "./targets.ts";

const shared = "../shared/data/lora";
const reason = existsSync(shared) ? "" : ` (skipped: ${shared} is absent)`;

function open(folder: string, name: string, modules: readonly ModuleShape[]): Promise<LoadedAdapter> {
  return loadAdapter(bytesSource(name, readFileSync(`${folder}/${name}`)), modules);
}

describe.skipIf(reason !== "")(`real adapters of Stable Diffusion 1.x${reason}`, () => {
  it.each([
    ["rick_and_morty.safetensors", "diffusers-old", 128, 256, 797_184, 4, 0],
    ["flower_Hirvita6.safetensors", "diffusers", 128, 256, 797_184, 4, 0],
    ["timohavdk_new.safetensors", "kohya", 128, 256, 797_184, 4, 0],
    ["lora_disney.safetensors", "cloneofsimo", 144, 288, 311_616, 1, 96],
    ["analog_svd_rank4.safetensors", "cloneofsimo", 144, 288, 1_246_464, 4, 96],
  ])("%s", async (name, dialect, modules, matched, parameters, rank, leftOver) => {
    const adapter = await open(shared, name, readModuleTable("sd15"));
    expect(adapter).toMatchObject({ name, dialect, matched, parameters, rank, alpha: rank, unmatched: [] });
    expect(adapter.modules.length).toBe(modules);
    expect(adapter.leftOver.length).toBe(leftOver);
    for (const module of adapter.modules) expect(loraScale(module)).toBe(1);
  });

  it.each([
    ["lora_kiriko.pt", "unet", 128, 829_952],
    ["lora_kiriko.text_encoder.pt", "textEncoder", 92, 753_664],
  ] as const)("%s, a bare list of tensors", async (name, part, modules, parameters) => {
    const file = await openTensorFile(bytesSource(name, readFileSync(`${shared}/${name}`)));
    const family = stableDiffusion2;
    const parts = {
      unet: unetTable(unetConfig(family.unet)).modules,
      textEncoder: clipTextTable(clipTextConfig(family.textEncoders[0]!.config)).modules,
    };
    const adapter = await loadModelAdapter(file, parts);
    expect(adapter).toMatchObject({ dialect: "cloneofsimo", matched: 2 * modules, parameters, rank: 4, alpha: 4 });
    expect([adapter.unmatched, adapter.leftOver, adapter.kinds, adapter.zero]).toEqual([[], [], ["LoRA"], false]);
    const found = part === "unet" ? adapter.modules : adapter.textEncoder.modules;
    expect(found.length).toBe(modules);
    const up = await readLocated(file.tensors.get("14")!);
    const path =
      part === "unet"
        ? "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_out.0"
        : "text_model.encoder.layers.1.self_attn.out_proj";
    expect(found.find((module) => module.path === path)?.up).toEqual(up);
  });

  it.each(["lora_disney.safetensors", "analog_svd_rank4.safetensors"])("%s with its text encoder", async (name) => {
    const text = clipTextTable(clipTextConfig(stableDiffusion1.textEncoders[0]!.config)).modules;
    const file = await openTensorFile(bytesSource(name, readFileSync(`${shared}/${name}`)));
    const adapter = await loadModelAdapter(file, { unet: readModuleTable("sd15"), textEncoder: text });
    expect([adapter.modules.length, adapter.textEncoder.modules.length]).toEqual([144, 48]);
    expect(adapter.leftOver).toEqual([]);
    expect([...adapter.words.keys()]).toEqual(name === "lora_disney.safetensors" ? ["<s1>", "<s2>"] : []);
    const [keys, values] = ["k_proj", "v_proj"].map(
      (layer) =>
        adapter.textEncoder.modules.find(({ path }) => path === `text_model.encoder.layers.0.self_attn.${layer}`)!,
    );
    const located = (key: string) => readLocated(file.tensors.get(key)!);
    expect([keys!.up, values!.down]).toEqual([
      await located("text_encoder:0:up"),
      await located("text_encoder:1:down"),
    ]);
  });

  it("finds the same layer in each dialect", async () => {
    const path = "up_blocks.1.attentions.2.transformer_blocks.0.attn2.to_out.0";
    const keys = {
      "rick_and_morty.safetensors": path.replace("to_out.0", "processor.to_out_lora.down.weight"),
      "flower_Hirvita6.safetensors": `unet.${path}.lora.down.weight`,
      "timohavdk_new.safetensors": `lora_unet_unet_${path.replaceAll(".", "_")}_lora_down.weight`,
    };
    for (const [name, key] of Object.entries(keys)) {
      const adapter = await open(shared, name, readModuleTable("sd15"));
      const tensors = decodeSafetensors(readFileSync(`${shared}/${name}`), name);
      expect(adapter.modules.find((module) => module.path === path)?.down).toEqual(tensors.get(key));
    }
  });

  it("refuses one for a model of other widths, naming file, module and both shapes", async () => {
    await expect(open(shared, "flower_Hirvita6.safetensors", readModuleTable("sdxl"))).rejects.toThrow(
      "flower_Hirvita6.safetensors: module down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k has a weight of [640, 2048] in this model, but the file's down part is [4, 768] (float32)",
    );
  });
});

const table = readModuleTable("tiny");
const down = (columns: number[], rank = 2): Tensor =>
  float32([rank, ...columns], new Float32Array(rank * columns.reduce((a, b) => a * b, 1)).fill(1));
const up = (rows: number, window: number[] = [], rank = 2): Tensor =>
  float32([rows, rank, ...window], new Float32Array(rows * rank).fill(1));
const load = (
  tensors: Record<string, Tensor>,
  metadata: Record<string, string> = {},
  options: LoadOptions = {},
): LoadedAdapter =>
  adapterFromTensors(
    "x.safetensors",
    new Map(Object.entries(tensors)),
    new Map(Object.entries(metadata)),
    table,
    options,
  );

const toQ = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q";
const flat = `lora_unet_${toQ.replaceAll(".", "_")}`;

describe("loadAdapter", () => {
  it("opens what PEFT and diffusers wrote, with alpha from the metadata", async () => {
    const style = await open("test/fixtures/adapters", "style.safetensors", table);
    expect(style).toMatchObject({ dialect: "peft", rank: 3, alpha: 6, unmatched: [], leftOver: [] });
    expect(style.modules.map(({ path }) => path)).toEqual(targetModules(table).map(({ path }) => path));
    expect(style.modules.every((module) => loraScale(module) === 2)).toBe(true);
    const lcm = await open("test/fixtures/adapters", "lcm.safetensors", table);
    expect(lcm).toMatchObject({ rank: 9, alpha: 9, matched: 2 * lcm.modules.length });
  });

  it("takes alpha from the file's tensor, then from the given rule, then from the metadata", () => {
    const parts = { [`unet.${toQ}.lora_A.weight`]: down([8]), [`unet.${toQ}.lora_B.weight`]: up(8) };
    const metadata = { lora_adapter_metadata: '{"unet.lora_alpha": 8, "unet.alpha_pattern": {"to_k": 3}}' };
    const alphaRule = alphaFromPeftConfig('{"peft_type": "LORA", "lora_alpha": 6, "alpha_pattern": {"attn1.to_q": 5}}');
    expect(load(parts).alpha).toBe(2);
    expect(load(parts, metadata).alpha).toBe(8);
    expect(load(parts, metadata, { alphaRule }).alpha).toBe(5);
    expect(load({ ...parts, [`unet.${toQ}.alpha`]: float32([], [7]) }, metadata, { alphaRule }).alpha).toBe(7);
    const stabilised = alphaFromPeftConfig('{"lora_alpha": 6, "use_rslora": true}');
    expect(load(parts, {}, { alphaRule: stabilised }).alpha).toBe(6 * Math.SQRT2);
  });

  it("tells unmatched keys from those of other parts", () => {
    const adapter = load({
      [`${flat}.lora_down.weight`]: down([8]),
      [`${flat}.lora_up.weight`]: up(8),
      [`${flat}.alpha`]: float32([], [1]),
      "lora_unet_down_blocks_9_attentions_0_proj_in.alpha": float32([], [1]),
      "lora_te_text_model_encoder_layers_0_mlp_fc1.alpha": float32([], [1]),
      "text_encoder.text_model.x.lora_A.weight": down([8]),
      [`lora_unet_${toQ.replaceAll(".", "_").replace("to_q", "to_v")}.alpha`]: float32([], [1]),
      "<token>": float32([1], [1]),
    });
    expect(adapter.modules.map(({ path, alpha }) => [path, alpha])).toEqual([[toQ, 1]]);
    expect(adapter.matched).toBe(3);
    expect(adapter.unmatched).toEqual([
      "lora_unet_down_blocks_9_attentions_0_proj_in.alpha",
      `lora_unet_${toQ.replaceAll(".", "_").replace("to_q", "to_v")}.alpha`,
    ]);
    expect(adapter.leftOver).toEqual([
      "lora_te_text_model_encoder_layers_0_mlp_fc1.alpha",
      "text_encoder.text_model.x.lora_A.weight",
      "<token>",
    ]);
  });

  it("reshapes between linear layers and 1x1 convolutions", () => {
    const projIn = "down_blocks.0.attentions.0.proj_in";
    const adapter = load({
      [`${flat}.lora_down.weight`]: down([8, 1, 1]),
      [`${flat}.lora_up.weight`]: up(8, [1, 1]),
      [`${projIn}.lora_A.weight`]: down([8]),
      [`${projIn}.lora_B.weight`]: up(8),
    });
    expect(adapter.modules.map((module) => [module.path, module.down.shape, module.up.shape])).toEqual([
      [projIn, [2, 8, 1, 1], [8, 2, 1, 1]],
      [toQ, [2, 8], [8, 2]],
    ]);
  });

  it.each<[string, Record<string, Tensor>, string]>([
    [
      "a shape that does not fit",
      { [`${flat}.lora_down.weight`]: down([16]), [`${flat}.lora_up.weight`]: up(8) },
      `x.safetensors: module ${toQ} has a weight of [8, 8] in this model, but the file's down part is [2, 16] (float32) and its up part [8, 2] (float32)`,
    ],
    [
      "ranks that differ",
      { [`${flat}.lora_down.weight`]: down([8], 3), [`${flat}.lora_up.weight`]: up(8) },
      "the file's down part is [3, 8] (float32) and its up part [8, 2]",
    ],
    [
      "another model's adapter",
      { "lora_unet_z.alpha": float32([], [1]) },
      'none of its keys, such as "lora_unet_z.alpha"',
    ],
    ["an empty file", {}, "x.safetensors: it holds no tensors."],
    [
      "what is no low-rank product",
      { [`${flat}.diff`]: up(8, [], 8) },
      `x.safetensors: its change of ${toQ} is of the kind full; only plain LoRAs can be used here.`,
    ],
    [
      "norms alone",
      { [`unet.${toQ}.lora_magnitude_vector`]: down([8]) },
      `module ${toQ} has norms (DoRA), but no change of its weight`,
    ],
    [
      "only one half",
      { [`${flat}.lora_down.weight`]: down([8]) },
      "but its up part is missing; the file is incomplete.",
    ],
    ["an alpha alone", { [`${flat}.alpha`]: float32([], [1]) }, "no module has all parts of a change"],
    [
      "the same part twice",
      { [`${flat}.lora_down.weight`]: down([8]), [`unet.${toQ}.lora_A.weight`]: down([8]) },
      `are both the down part of ${toQ}; keep one.`,
    ],
    [
      "an alpha that is no number",
      {
        [`${flat}.lora_down.weight`]: down([8]),
        [`${flat}.lora_up.weight`]: up(8),
        [`${flat}.alpha`]: float32([2], [1, 2]),
      },
      "must be one finite number",
    ],
  ])("refuses %s", async (_, tensors, sentence) => {
    expect(() => load(tensors)).toThrow(AdapterError);
    expect(() => load(tensors)).toThrow(sentence);
    const source = bytesSource("x.safetensors", encodeSafetensors(tensors));
    await expect(loadAdapter(source, table)).rejects.toThrow(sentence);
  });

  it("refuses metadata and configurations that it cannot understand", () => {
    const parts = { [`unet.${toQ}.lora_A.weight`]: down([8]), [`unet.${toQ}.lora_B.weight`]: up(8) };
    expect(() => load(parts, { lora_adapter_metadata: '{"unet.lora_alpha": "x"}' })).toThrow(
      '"unet.lora_alpha" must be a number above 0',
    );
    expect(() => alphaFromPeftConfig('{"peft_type": "IA3"}')).toThrow('"peft_type" must be "LORA"');
  });
});
