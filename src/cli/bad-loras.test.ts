import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CliResult, runFourstep } from "../../test/cli-run.ts";
import { kohyaLoraOf } from "../../test/family-lora.ts";
import { tinyConfigs, tinyLora, writeTinyModel } from "../../test/tiny-model.ts";
import { decodeSafetensors, encodeSafetensors } from "../formats/safetensors.ts";
import { knownFamilies } from "../generate/family.ts";
import { filled, float32, type Tensor } from "../tensor/tensor.ts";

let folder = "";
let model = "";
let good = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-bad-loras-"));
  model = join(folder, "tiny");
  await writeTinyModel(model, { type: "float16" });
  good = await put("good", new Map(Object.entries(tensorsOfGood())));
});
afterAll(() => rm(folder, { recursive: true }));

const stem = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q";
const path = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q";

function tensorsOfGood(): Record<string, Tensor> {
  return Object.fromEntries(decodeSafetensors(tinyLora("flat"), "flat"));
}

async function put(name: string, tensors: ReadonlyMap<string, Tensor> | Uint8Array): Promise<string> {
  const file = join(folder, `${name}.safetensors`);
  const bytes = tensors instanceof Uint8Array ? tensors : encodeSafetensors(tensors, {});
  await writeFile(file, bytes);
  return file;
}

/** A good LoRA with some tensors in place of its own, or without them. */
const changed = (others: Readonly<Record<string, Tensor | undefined>>): Map<string, Tensor> => {
  const tensors = new Map(Object.entries(tensorsOfGood()));
  for (const [key, tensor] of Object.entries(others)) {
    if (tensor === undefined) tensors.delete(key);
    else tensors.set(key, tensor);
  }
  return tensors;
};

/** Runs a command that must be refused, in one sentence and without a trace. */
async function refused(args: readonly string[]): Promise<string> {
  const before = await everything();
  const { code, stdout, stderr }: CliResult = await runFourstep(args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(/^fourstep: [^\n]*[.?]\n$/);
  expect(stderr.length).toBeLessThan(600);
  expect(await everything()).toEqual(before);
  return stderr.slice("fourstep: ".length, -1);
}

const everything = (): Promise<string[]> => readdir(folder, { recursive: true });

const drawing = (...loras: readonly string[]): readonly string[] => [
  ...["generate", "a red apple", "--model", model, "--steps", "1", "--seed", "7", "--out", join(folder, "out")],
  ...loras.flatMap((lora) => ["--lora", lora]),
];
const merging = (...loras: readonly string[]): readonly string[] => [
  ...["merge", model, "--out", join(folder, "merged")],
  ...loras.flatMap((lora) => ["--add", lora]),
];
const inspecting = (lora: string): readonly string[] => ["inspect", lora, "--model", model];

const nan = float32([8, 2], new Float32Array(16).fill(1).fill(Number.NaN, 3, 4));
const long = "x".repeat(70_000);

describe("bad LoRAs", () => {
  it.each<[string, Map<string, Tensor>, RegExp]>([
    [
      "ranks",
      changed({ [`${stem}.lora_down.weight`]: filled([3, 8], 1) }),
      /^ranks\.safetensors: module \S+to_q has a weight of \[8, 8\] in this model, but the file's \S+ part is \[\d, \d\] \(float32\) and its \S+ part \[\d, \d\] \(float32\); it was made for another model, or is damaged\.$/,
    ],
    [
      "half",
      changed({ [`${stem}.lora_up.weight`]: undefined }),
      /^half\.safetensors: of module \S+to_q there is "[^"]+", but its up part is missing; the file is incomplete\.$/,
    ],
    [
      "nan",
      changed({ [`${stem}.lora_up.weight`]: nan }),
      /^nan\.safetensors: "[^"]+" holds a number that is not finite /,
    ],
    [
      "alpha",
      changed({ [`${stem}.alpha`]: float32([], [0]) }),
      /^alpha\.safetensors: "[^"]+\.alpha" is 0, so that the module would change nothing; alpha must be another number\.$/,
    ],
    [
      "whole-numbers",
      changed({ [`${stem}.lora_up.weight`]: { type: "int64", shape: [8, 2], data: new BigInt64Array(16) } }),
      /^whole-numbers\.safetensors: "[^"]+" is of type int64, but an adapter's numbers are floats\.$/,
    ],
    [
      "twice",
      changed({ [`unet.${path}.lora_A.weight`]: filled([2, 8], 1) }),
      /^twice\.safetensors: "[^"]+" and "[^"]+" are both the down part of \S+to_q; keep one\.$/,
    ],
    [
      "kinds",
      changed({ [`${stem}.hada_w1_a`]: filled([8, 2], 1) }),
      /^kinds\.safetensors: module \S+to_q has parts of a LoRA and of a LoHa adapter; only one can be meant\.$/,
    ],
    [
      "flux",
      new Map([["transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight", filled([2, 8], 1)]]),
      /^flux\.safetensors: this LoRA was made for Flux, which is another kind of model\.$/,
    ],
    [
      "prototype",
      new Map([["__proto__", filled([2, 8], 1)]]),
      /^prototype\.safetensors: none of its keys, such as "__proto__", /,
    ],
    [
      "inherited",
      new Map([["lora_unet_constructor.lora_up.weight", filled([2, 8], 1)]]),
      /^inherited\.safetensors: none of/,
    ],
    [
      "long",
      new Map([[`lora_unet_${long}.alpha`, filled([], 1)]]),
      /^long\.safetensors: none of its keys, such as "lora_unet_x+\.\.\.x+\.alpha", /,
    ],
    [
      "turned",
      new Map([["lora_unet_\u202e\u0007gpj.\u009b31m.lora_up.weight", filled([2, 8], 1)]]),
      /^turned\.safetensors: none of its keys, such as "lora_unet_\\u202e\\u0007gpj\.\\u009b31m\.lora_up\.weight", /,
    ],
    ["empty", new Map(), /^empty\.safetensors: it holds no tensors\.$/],
  ])("%s: drawing, merging and inspecting refuse it in one sentence", async (name, tensors, sentence) => {
    const file = await put(name, tensors);
    expect(await refused(drawing(file))).toMatch(sentence);
    expect(await refused(merging(file))).toMatch(sentence);
    if (name !== "prototype" && name !== "empty") expect(await refused(inspecting(file))).toMatch(sentence);
  });

  it("zeros alone are refused where they would do nothing, and told by inspect", async () => {
    const zeros = new Map<string, Tensor>();
    for (const [key, tensor] of Object.entries(tensorsOfGood()))
      zeros.set(key, key.includes("lora_up") ? filled(tensor.shape, 0) : tensor);
    const file = await put("zeros", zeros);
    expect(await refused(drawing(file))).toBe(
      "zeros.safetensors: all of its changes are zero, so that it would do nothing; was it ever trained?",
    );
    const { code, stdout } = await runFourstep(inspecting(file));
    expect(code).toBe(0);
    expect(stdout).toContain("\nchanges     none: all of them are zero\n");
  });

  it("of two files for one module the one with another shape is refused, and nothing is drawn or merged", async () => {
    const wide = await put("wide", tinyLora("wide", 2, { ...tinyConfigs.unet, cross_attention_dim: 16 }));
    const sentence =
      /^wide\.safetensors: module \S+ has a weight of \[8, 12\] in this model, but the file's .* \[2, 16\]/;
    expect(await refused(drawing(good, wide))).toMatch(sentence);
    expect(await refused(drawing(wide, good))).toMatch(sentence);
    expect(await refused(merging(good, wide))).toMatch(sentence);
  });

  it.each(knownFamilies().map((family) => [family.name, family] as const))(
    "one for %s is refused on another base, which is named",
    async (name, family) => {
      const file = await put(`family-${knownFamilies().indexOf(family)}`, kohyaLoraOf(family));
      expect(await refused(drawing(file))).toBe(
        `${file.split("/").at(-1)}: this LoRA was made for ${name}, so it cannot be used with tiny; choose one trained on this model.`,
      );
    },
  );

  it("strange names beside good ones are left out, and told so that they harm no terminal", async () => {
    const strays = ["__proto__", "constructor", `lora_unet_${long}.alpha`, "\u202elora\u001b[2J"];
    const file = await put("strays", changed(Object.fromEntries(strays.map((key) => [key, filled([1], 1)]))));
    const told = await runFourstep([...drawing(file), "--json"]);
    expect(told.code).toBe(0);
    const { warnings } = JSON.parse(told.stdout) as { warnings: string[] };
    expect(warnings.filter((text) => text.startsWith("strays"))).toHaveLength(2);
    const described = await runFourstep(inspecting(file));
    expect(described.code).toBe(0);
    for (const text of [...told.stderr.split("\n"), ...described.stdout.split("\n")]) {
      expect(text).not.toMatch(/[\p{Cc}\u202e]/u);
      expect(text.length).toBeLessThan(600);
    }
  });
});
