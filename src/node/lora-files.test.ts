import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isLcmLora, ownLcmLora, parseLoraChoice } from "./lora-files.ts";

let folder = "";
let file = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-loras-"));
  await mkdir(join(folder, "model", "lora"), { recursive: true });
  file = join(folder, "a:1.5.safetensors");
  await writeFile(file, "");
  await writeFile(join(folder, "model", "lora", "style-flat.safetensors"), "");
});
afterAll(() => rm(folder, { recursive: true }));

describe("parseLoraChoice", () => {
  const parse = (text: string) => parseLoraChoice(text, join(folder, "model"));

  it("reads a file with and without a weight, colons in its name included", () => {
    expect(parse(file)).toEqual({ path: file, weight: 1 });
    expect(parse(`${file}:0.8`)).toEqual({ path: file, weight: 0.8 });
    expect(parse(`${file}:-1e-1`)).toEqual({ path: file, weight: -0.1 });
  });

  it("finds the model's own by name", () => {
    const path = join(folder, "model", "lora", "style-flat.safetensors");
    expect(parse("style-flat")).toEqual({ path, weight: 1 });
    expect(parse("style-flat.safetensors:0.5")).toEqual({ path, weight: 0.5 });
  });

  it("refuses files that are not there and weights that are no numbers", () => {
    expect(() => parse("nowhere.safetensors:1")).toThrow(
      "nowhere.safetensors:1: there is no such LoRA file; give a safetensors file, or FILE:weight.",
    );
    expect(() => parse("style-flat:strong")).toThrow(
      'style-flat:strong: the weight "strong" must be a number, such as 0.8.',
    );
    expect(() => parse("style-flat:")).toThrow("must be a number");
    expect(() => parse(folder)).toThrow("there is no such LoRA file");
  });
});

describe("acceleration vectors", () => {
  it.each([
    ["lcm-lora.safetensors", true],
    ["lcm_lora_sdxl.safetensors", true],
    ["LCM15.safetensors", true],
    ["lcm-lora-sdv1-5/pytorch_lora_weights.safetensors", true],
    ["styles/pytorch_lora_weights.safetensors", false],
    ["lcm/style.safetensors", false],
    ["calcmaster.safetensors", false],
  ])("%s: %s", (path, expected) => {
    expect(isLcmLora(path)).toBe(expected);
  });

  it("are found in a model's folder", async () => {
    expect(ownLcmLora(join(folder, "model"))).toBeUndefined();
    const path = join(folder, "model", "lora", "lcm-lora.safetensors");
    await writeFile(path, "");
    expect(ownLcmLora(join(folder, "model"))).toBe(path);
  });
});
