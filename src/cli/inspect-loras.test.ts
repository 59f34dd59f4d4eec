import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runFourstep } from "../../test/cli-run.ts";
import { tinyLora, writeTinyModel } from "../../test/tiny-model.ts";
import { decodeSafetensors, encodeSafetensors } from "../formats/safetensors.ts";
import { filled, type Tensor } from "../tensor/tensor.ts";

const shared = "../shared/data/lora";
const reason = existsSync(shared) ? "" : ` (skipped: ${shared} is absent)`;

async function inspect(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await runFourstep(["inspect", "--json", ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe.skipIf(reason !== "")(`inspect tells of published LoRAs${reason}`, () => {
  const sd1 = "Stable Diffusion 1.5";
  const sd2 = "Stable Diffusion 2.1";
  it.each([
    ["rick_and_morty.safetensors", "diffusers-old", sd1, { unet: 128 }, 797_184, 4, []],
    ["flower_Hirvita6.safetensors", "diffusers", sd1, { unet: 128 }, 797_184, 4, []],
    ["timohavdk_new.safetensors", "kohya", sd1, { unet: 128 }, 797_184, 4, []],
    ["analog_svd_rank4.safetensors", "cloneofsimo", sd1, { unet: 144, text_encoder: 48 }, 1_541_376, 4, []],
    ["lora_disney.safetensors", "cloneofsimo", sd1, { unet: 144, text_encoder: 48 }, 385_344, 1, ["<s1>", "<s2>"]],
    ["lora_kiriko.pt", "cloneofsimo", sd2, { unet: 128 }, 829_952, 4, []],
    ["lora_kiriko.text_encoder.pt", "cloneofsimo", sd2, { text_encoder: 92 }, 753_664, 4, []],
  ])("%s", async (name, dialect, family, parts, parameters, rank, words) => {
    expect(await inspect(join(shared, name))).toMatchObject({
      kind: "lora",
      ...{ name, dialect, family, parts, parameters, rank, alpha: rank, words },
      kinds: ["LoRA"],
      unmatched: [],
      leftOver: [],
      zero: false,
    });
  });
});

describe("fourstep inspect of a LoRA", () => {
  let folder = "";
  let model = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "fourstep-inspect-loras-"));
    model = join(folder, "tiny");
    await writeTinyModel(model);
  });
  afterAll(() => rm(folder, { recursive: true }));

  const put = async (name: string, tensors: Readonly<Record<string, Tensor>>, metadata = {}): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, encodeSafetensors(tensors, metadata));
    return path;
  };
  const flat = (): Record<string, Tensor> => Object.fromEntries(decodeSafetensors(tinyLora("flat"), "flat"));
  const describing = async (path: string): Promise<string> =>
    (await runFourstep(["inspect", path, "--model", model])).stdout;

  it("tells the words it was trained on: those of the author, of captions, of folders", async () => {
    const tags = { ss_tag_frequency: '{"10_ink":{"ink":20,"1girl":5},"3_more":{"brush":7,"ink":1},"__proto__":null}' };
    const dirs = { ss_dataset_dirs: '{"10_sks dog":{"n_repeats":10}}' };
    const phrase = { "modelspec.trigger_phrase": "in ink style, brushwork" };
    const words = async (metadata: Readonly<Record<string, string>>): Promise<unknown> =>
      (await inspect(await put("words.safetensors", flat(), metadata), "--model", model))["words"];
    expect(await words({ ...tags, ...dirs, ...phrase })).toEqual(["in ink style", "brushwork"]);
    expect(await words({ ...tags, ...dirs })).toEqual(["ink", "brush", "1girl"]);
    expect(await words(dirs)).toEqual(["sks dog"]);
    expect(await words({ ss_tag_frequency: "{", ss_dataset_dirs: "[3]" })).toEqual([]);
    const path = await put("words.safetensors", flat(), tags);
    expect(await describing(path)).toContain("\nwords       ink, brush, 1girl\n");
  });

  it("tells that one accelerates, by its name or its metadata", async () => {
    expect(await describing(await put("lcm-lora-tiny.safetensors", flat()))).toContain("\naccelerates an LCM-LoRA\n");
    const lightning = await put("x.safetensors", flat(), { ss_output_name: "sdxl_lightning_4step_lora" });
    expect(await inspect(lightning, "--model", model)).toMatchObject({ acceleration: "an SDXL-Lightning LoRA" });
    expect(await inspect(await put("ink.safetensors", flat()), "--model", model)).not.toHaveProperty("acceleration");
  });

  it("reads a folder of PEFT with its ranks and alphas", async () => {
    const peft = join(folder, "ink-peft");
    await mkdir(peft);
    const block = "base_model.model.down_blocks.0.attentions.0.transformer_blocks.0.attn1";
    const tensors: Record<string, Tensor> = {};
    for (const [layer, rank] of [
      ["to_q", 2],
      ["to_k", 2],
      ["to_v", 4],
    ] as const) {
      tensors[`${block}.${layer}.lora_A.weight`] = filled([rank, 8], 1);
      tensors[`${block}.${layer}.lora_B.weight`] = filled([8, rank], 1);
    }
    await writeFile(join(peft, "adapter_model.safetensors"), encodeSafetensors(tensors, {}));
    const config = { peft_type: "LORA", r: 2, lora_alpha: 6, rank_pattern: { to_v: 4 }, alpha_pattern: { to_v: 1 } };
    await writeFile(join(peft, "adapter_config.json"), JSON.stringify(config));
    expect(await inspect(peft, "--model", model)).toMatchObject({
      ...{ kind: "lora", name: "adapter_model.safetensors", dialect: "peft", family: "tiny", modules: 3 },
      ...{ rank: 2, ranks: [2, 4], alpha: 6 },
    });
    expect(await describing(peft)).toContain("\nrank        2 (2 to 4), alpha 6\n");
    const out = join(folder, "out");
    const drawn = await runFourstep([
      ...["generate", "a red apple", "--model", model, "--steps", "1", "--seed", "7", "--out", out, "--json"],
      ...["--lora", `${peft}:0.5`],
    ]);
    expect(drawn.code).toBe(0);
    expect(JSON.parse(drawn.stdout)).toMatchObject({ loras: [{ name: "ink-peft", weight: 0.5 }] });
    await writeFile(join(peft, "adapter_config.json"), '{"peft_type":"PREFIX_TUNING"}');
    const refused = await runFourstep(["inspect", peft, "--model", model]);
    expect(refused).toEqual({
      code: 2,
      stdout: "",
      stderr:
        'fourstep: adapter_config.json: "peft_type" must be "LORA", "LOHA", "LOKR" or "OFT", but it is the text "PREFIX_TUNING".\n',
    });
  });

  it("tells other kinds by their names", async () => {
    const block = "lora_unet_down_blocks_0_attentions_0";
    const path = await put("kinds.safetensors", {
      [`${block}_transformer_blocks_0_attn1_to_q.hada_w1_a`]: filled([8, 2], 1),
      [`${block}_transformer_blocks_0_attn1_to_q.hada_w1_b`]: filled([2, 8], 1),
      [`${block}_transformer_blocks_0_attn1_to_q.hada_w2_a`]: filled([8, 2], 1),
      [`${block}_transformer_blocks_0_attn1_to_q.hada_w2_b`]: filled([2, 8], 1),
      [`${block}_norm.w_norm`]: filled([8], 1),
      [`${block}_norm.b_norm`]: filled([8], 1),
    });
    expect(await describing(path)).toBe(
      "kinds.safetensors: norm, LoHa for tiny\ndialect     kohya\nmodules     2: unet 2\nparameters  80\nrank        2, alpha 2\nunmatched   none\n",
    );
  });
});
