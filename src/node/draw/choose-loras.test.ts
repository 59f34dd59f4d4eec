import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { knownFamilies } from "../../generate/family.ts";
import { chooseLoras, type LoraWishes } from "./choose-loras.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-choose-"));
  for (const path of ["with/lora/lcm-lora", "loras/my-lcm", "loras/ink"]) {
    await mkdir(join(folder, path, ".."), { recursive: true });
    await writeFile(join(folder, `${path}.safetensors`), "");
  }
  await mkdir(join(folder, "without"));
});
afterAll(() => rm(folder, { recursive: true }));

const choose = (model: string, wishes: LoraWishes = {}, prompt = "a pear", family = "Stable Diffusion 1.5") => {
  const { unet } = knownFamilies().find(({ name }) => name === family)!;
  const target = { path: join(folder, model), files: { unet: { config: unet } } } as Parameters<typeof chooseLoras>[0];
  return chooseLoras(
    target,
    { prompt, negativePrompt: "" },
    { loraDir: [join(folder, "loras")], ...wishes },
    { env: {} },
  );
};
const names = async (...args: Parameters<typeof choose>): Promise<string[]> =>
  (await choose(...args)).loras.map(({ name, choice }) => `${name}:${choice.weight}`);

describe("the LoRAs of a drawing", () => {
  it("begin with the model's own LCM-LoRA, unless it is not wanted", async () => {
    expect(await names("with")).toEqual(["lcm-lora:1"]);
    expect(await names("with", { lora: ["ink:0.5"] }, "<lora:ink:2>")).toEqual(["lcm-lora:1", "ink:0.5", "ink:2"]);
    expect(await names("with", { lcm: false, lora: ["ink"] })).toEqual(["ink:1"]);
    expect(await names("with", { sampler: "ddim" })).toEqual([]);
    expect(await names("with", { sampler: "ddim", lcm: true })).toEqual(["lcm-lora:1"]);
    expect(await names("without")).toEqual([]);
  });

  it("have another that accelerates in its place", async () => {
    expect(await names("with", { lora: ["my-lcm:0.9"] })).toEqual(["my-lcm:0.9"]);
    expect(await names("with", {}, "a pear <lora:my-lcm:0.9>")).toEqual(["my-lcm:0.9"]);
    expect((await choose("with", { lora: ["my-lcm"] })).accelerator).toEqual({
      name: "my-lcm",
      kind: "lcm-lora",
      own: false,
    });
    expect((await choose("with")).accelerator).toEqual({ name: "lcm-lora", kind: "lcm-lora", own: true });
    expect((await choose("with", { lora: ["my-lcm:0"] })).accelerator).toBeUndefined();
  });

  it.each([
    ["Stable Diffusion 1.5", "for Stable Diffusion 1.5 there is --lora latent-consistency/lcm-lora-sdv1-5."],
    ["Stable Diffusion XL", "for Stable Diffusion XL there is --lora latent-consistency/lcm-lora-sdxl."],
    ["SSD-1B", "for SSD-1B there is --lora latent-consistency/lcm-lora-ssd-1b."],
    ["Stable Diffusion 2.1", "for Stable Diffusion 2.1 none is published: train one with fourstep train lcd."],
  ])("are advised for %s where --lcm finds none", async (family, advice) => {
    await expect(choose("without", { lcm: true }, "a pear", family)).rejects.toThrow(
      `${join(folder, "without")}: --lcm was given, but there is no lora/lcm-lora.safetensors; ${advice}`,
    );
  });

  it("say where LoRAs would be found", async () => {
    const { warnings } = await choose("without", { loraDir: [] }, "<lora:ink:1>");
    expect(warnings).toEqual([
      "<lora:ink:1> is left out, since no LoRA is called ink; give the folder of your LoRAs with --lora-dir.",
    ]);
  });
});
