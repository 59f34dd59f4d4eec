import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeSafetensors } from "../formats/safetensors.ts";
import { float32 } from "../tensor/tensor.ts";
import { acceleratingLora, type LoraLibrary, loraLibrary, ownLcmLora } from "./lora-files.ts";

const named = (name: string): Uint8Array =>
  encodeSafetensors(new Map([["x", float32([1], [0])]]), { ss_output_name: name });

let folder = "";
let library: LoraLibrary;
const write = async (path: string, bytes: Uint8Array | string = ""): Promise<void> => {
  await mkdir(join(folder, path, ".."), { recursive: true });
  await writeFile(join(folder, path), bytes);
};
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-loras-"));
  await write("mine/styles/ink.safetensors", named("drawn-with-ink"));
  await write("mine/styles/old.pt");
  await write("mine/one/twin.safetensors");
  await write("mine/two/twin.safetensors");
  await write("mine/notes.txt");
  await write("model/lora/ink.safetensors");
  await write("model/lora/flat.v2.safetensors");
  library = await loraLibrary([join(folder, "mine"), join(folder, "model", "lora")]);
});
afterAll(() => rm(folder, { recursive: true }));

describe("LoRAs by name", () => {
  it.each([
    ["ink", "mine/styles/ink.safetensors"],
    ["styles/ink", "mine/styles/ink.safetensors"],
    ["styles\\ink.safetensors", "mine/styles/ink.safetensors"],
    ["old", "mine/styles/old.pt"],
    ["drawn-with-ink", "mine/styles/ink.safetensors"],
    ["flat.v2", "model/lora/flat.v2.safetensors"],
    ["two/twin", "mine/two/twin.safetensors"],
    ["notes", undefined],
    ["constructor", undefined],
    ["../model/lora/flat.v2", undefined],
  ])("%s: %s", async (name, path) => {
    expect(await library.find(name)).toBe(path === undefined ? undefined : join(folder, path));
  });

  it("are listed by their paths, folder by folder", async () => {
    expect(await library.names()).toEqual(["one/twin", "styles/ink", "styles/old", "two/twin", "flat.v2", "ink"]);
  });

  it("ask for the folder where there are several", async () => {
    await expect(library.find("twin")).rejects.toThrow(
      "twin: several LoRAs are called so, one/twin and two/twin; name its folder, too.",
    );
  });

  it("need a folder that is there", async () => {
    await expect(loraLibrary([join(folder, "nowhere")])).rejects.toThrow(
      `${join(folder, "nowhere")}: there is no such folder; give one that holds LoRAs.`,
    );
  });
});

describe("LoRAs that accelerate", () => {
  it.each([
    ["lcm-lora.safetensors", "lcm-lora"],
    ["lcm_lora_sdxl.safetensors", "lcm-lora"],
    ["LCM15.safetensors", "lcm-lora"],
    ["lcm-lora-sdv1-5/pytorch_lora_weights.safetensors", "lcm-lora"],
    ["hub/models--latent-consistency--lcm-lora-sdxl/snapshots/0/pytorch_lora_weights.safetensors", "lcm-lora"],
    ["styles/pytorch_lora_weights.safetensors", undefined],
    ["lcm/style.safetensors", undefined],
    ["calcmaster.safetensors", undefined],
  ])("%s: %s", async (path, expected) => {
    expect(await acceleratingLora(path)).toBe(expected);
  });

  it("say so in their metadata, too", async () => {
    await write("renamed.safetensors", named("my_lcm_lora"));
    expect(await acceleratingLora(join(folder, "renamed.safetensors"))).toBe("lcm-lora");
    await write("hyper.safetensors", named("Hyper-SD15-4steps-lora"));
    expect(await acceleratingLora(join(folder, "hyper.safetensors"))).toMatchObject({ sampler: "ddim", steps: 4 });
  });

  it("are found in a model's folder, or beside its file", async () => {
    expect(await ownLcmLora(join(folder, "model"))).toBeUndefined();
    await write("model/lora/lcm-lora.safetensors");
    await write("model/model.safetensors");
    const path = join(folder, "model", "lora", "lcm-lora.safetensors");
    expect(await ownLcmLora(join(folder, "model"))).toBe(path);
    expect(await ownLcmLora(join(folder, "model", "model.safetensors"))).toBe(path);
  });
});
