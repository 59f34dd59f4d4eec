import { describe, expect, it } from "vitest";
import { kohyaLoraOf } from "../../test/family-lora.ts";
import { AdapterError } from "../errors.ts";
import { bytesSource } from "../formats/byte-source.ts";
import { openTensorFile } from "../formats/open-tensor-file.ts";
import { decodeSafetensors, encodeSafetensors } from "../formats/safetensors.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import type { DiffusersModel } from "../models/checkpoint/diffusers-folder.ts";
import { modelFamilies } from "../models/checkpoint/families/index.ts";
import { clipTextConfig } from "../models/clip.ts";
import { unetConfig } from "../models/unet/config.ts";
import { filled, type Tensor } from "../tensor/tensor.ts";
import { knownFamilies } from "./family.ts";
import { loraForModel } from "./read-lora.ts";

/** A model of a published family, as far as LoRAs ask. */
function modelOf(name: string): DiffusersModel {
  const family = modelFamilies.find((one) => one.name === name)!;
  const [first, second] = family.textEncoders.map(({ config }) => ({ config: clipTextConfig(config) }));
  return {
    name: "base",
    unet: { config: unetConfig(family.unet) },
    textEncoder: first,
    ...(second === undefined ? {} : { second: { textEncoder: second } }),
  } as unknown as DiffusersModel;
}

const fileOf = (bytes: Uint8Array): Promise<TensorFile> => openTensorFile(bytesSource("style.safetensors", bytes));
/** The family's LoRA, with numbers that change something. */
function loraOf(name: string): Map<string, Tensor> {
  const tensors = decodeSafetensors(kohyaLoraOf(knownFamilies().find((one) => one.name === name)!), name);
  return new Map([...tensors].map(([key, { shape }]) => [key, filled(shape, 1)]));
}

const pairs = modelFamilies.flatMap((model) => modelFamilies.map((lora) => [lora.name, model.name] as const));

describe("loraForModel", () => {
  it.each(pairs)("a LoRA for %s on %s", async (lora, model) => {
    const file = await fileOf(encodeSafetensors(loraOf(lora), {}));
    const reading = loraForModel(file, modelOf(model));
    // SSD-1B is SDXL with layers left out, so that all it has is there; nothing in a file tells them apart.
    if (lora === model || (lora === "SSD-1B" && model === "Stable Diffusion XL")) {
      expect(await reading).toMatchObject({ unmatched: [], leftOver: [], zero: false });
      return;
    }
    await expect(reading).rejects.toThrow(AdapterError);
    await expect(reading).rejects.toThrow(
      `style.safetensors: this LoRA was made for ${lora}, so it cannot be used with base (${model}); choose one trained on this model.`,
    );
  });

  it("refuses one most of whose keys name no layer, though some do", async () => {
    const tensors = loraOf("Stable Diffusion 1.5");
    const strays = Array.from(
      { length: tensors.size + 1 },
      (_, i) => [`lora_unet_x_${i}.alpha`, filled([], 1)] as const,
    );
    const file = await fileOf(encodeSafetensors(new Map([...tensors, ...strays]), {}));
    await expect(loraForModel(file, modelOf("Stable Diffusion 1.5"))).rejects.toThrow(
      /^style\.safetensors: \d+ of its \d+ keys, such as "lora_unet_x_0\.alpha", name no layer of base; it was made for another model\.$/,
    );
  });
});
