import { describe, expect, it } from "vitest";
import { openOriginal, originalNames, smallFamily } from "../../../../test/original-family.ts";
import { formula } from "../../../../test/parity/formula.ts";
import { fromFloat32, toFloat32 } from "../../../tensor/convert.ts";
import { filled, type Tensor } from "../../../tensor/tensor.ts";
import { autoencoderTable, clipTextTable, type ModelTable, unetTable } from "../../module-table.ts";
import { autoencoderConfig } from "../../vae/config.ts";
import { loadWeights } from "../parameters.ts";
import type { StoredWeights } from "../stored-weights.ts";
import { type OriginalModel, readOriginalModel } from "./read-original.ts";

/** Tensors of the formula, as float16 holds them. */
function expected(part: string, { parameters }: ModelTable): Map<string, Tensor<"float32">> {
  return new Map(
    parameters.map(({ name, shape }) => [name, toFloat32(fromFloat32(formula(`${part}.${name}`, shape), "float16"))]),
  );
}

/** Weights in the shapes that the model asks for: an autoencoder's matrices are convolutions in the file. */
async function loaded(weights: StoredWeights, { parameters }: ModelTable): Promise<Map<string, Tensor<"float32">>> {
  const tensors = await loadWeights(weights);
  for (const { name, shape } of parameters) {
    const tensor = tensors.get(name);
    if (tensor !== undefined && tensor.data.length === filled(shape).data.length)
      tensors.set(name, { ...tensor, shape });
  }
  return tensors;
}

describe("a model in one file of the original names", () => {
  it.each(originalNames)("is read as diffusers converts it: %s", async (name) => {
    const family = await smallFamily(name);
    const model = await readOriginalModel(await openOriginal(`${name}.safetensors`), { families: [family] });
    const { unet, autoencoder, textEncoder, second } = model;
    const parts: [string, StoredWeights, ModelTable][] = [
      ["unet", unet.weights, unetTable(unet.config)],
      ["vae", autoencoder.weights, autoencoderTable(autoencoderConfig(autoencoder.json))],
      ["text_encoder", textEncoder.weights, clipTextTable(textEncoder.config)],
    ];
    if (second !== undefined) {
      parts.push(["text_encoder_2", second.textEncoder.weights, clipTextTable(second.textEncoder.config)]);
    }
    for (const [part, weights, table] of parts) {
      expect([part, await loaded(weights, table)]).toEqual([part, expected(part, table)]);
    }
    expect(model.leftOver).toEqual(name === "sd1" ? ["embedding_manager.weight"] : []);
  });

  const read = async (file: string, name: (typeof originalNames)[number]): Promise<OriginalModel> =>
    readOriginalModel(await openOriginal(file), { families: [await smallFamily(name)] });

  it("is named after its family and variant", async () => {
    const named = async (name: (typeof originalNames)[number]): Promise<unknown> => {
      const { family, pipeline, unet, scheduler, zerosForEmptyPrompt } = await read(`${name}.safetensors`, name);
      const { _class_name: sampler, prediction_type: prediction } = scheduler;
      const { inChannels, guidanceWidth } = unet.config;
      return [family.name, pipeline, sampler, prediction, inChannels, guidanceWidth, zerosForEmptyPrompt];
    };
    expect(await Promise.all(originalNames.map(named))).toEqual([
      ["small sd1", "StableDiffusionPipeline", "PNDMScheduler", "epsilon", 4, undefined, false],
      [
        "small sd1-inpainting inpainting",
        "StableDiffusionInpaintPipeline",
        "PNDMScheduler",
        "epsilon",
        9,
        undefined,
        false,
      ],
      ["small sd1-lcm LCM", "LatentConsistencyModelPipeline", "LCMScheduler", "epsilon", 4, 6, false],
      ["small sd2", "StableDiffusionPipeline", "DDIMScheduler", "v_prediction", 4, undefined, false],
      ["small sdxl", "StableDiffusionXLPipeline", "EulerDiscreteScheduler", "epsilon", 4, undefined, true],
      ["small ssd-1b", "StableDiffusionXLPipeline", "EulerDiscreteScheduler", "epsilon", 4, undefined, true],
    ]);
  });

  it("may have depths that no published model has", async () => {
    const pruned = await openOriginal("ssd-1b.safetensors");
    const model = await readOriginalModel(pruned, { families: [await smallFamily("sdxl")] });
    const twin = await read("ssd-1b.safetensors", "ssd-1b");
    expect(model.family.name).toBe("small sdxl of other depths");
    expect(unetTable(model.unet.config)).toEqual(unetTable(twin.unet.config));
    expect(model.unet.weights.tensors.size).toBe(twin.unet.weights.tensors.size);
    expect(model.leftOver).toEqual([]);
  });

  it("counts averages and numbers of the training as not needed", async () => {
    const { unneeded, leftOver } = await read("sd1.safetensors", "sd1");
    expect(unneeded).toBe(4);
    expect(leftOver).toEqual(["embedding_manager.weight"]);
    // OpenCLIP's last layer of twelve tensors, its projection and its scale.
    expect((await read("sd2.safetensors", "sd2")).unneeded).toBe(14);
  });

  it("is taken out of a pickle, whatever parts that lacks", async () => {
    const whole = await read("sd1.safetensors", "sd1");
    const pruned = await read("sd1-without-autoencoder.ckpt", "sd1");
    expect(pruned.name).toBe("sd1-without-autoencoder");
    expect(await loadWeights(pruned.unet.weights)).toEqual(await loadWeights(whole.unet.weights));
    expect(await loadWeights(pruned.textEncoder.weights)).toEqual(await loadWeights(whole.textEncoder.weights));
    expect(pruned.autoencoder.weights.tensors.size).toBe(0);
  });

  it("says what it is when its family is not known", async () => {
    const file = await openOriginal("sd1.safetensors");
    await expect(readOriginalModel(file)).rejects.toThrow(
      /^sd1\.safetensors: its U-Net, with levels of 4, 8, 8 channels and texts of width 8, belongs to no known family; known are Stable Diffusion 1\.5, /,
    );
    const one = (key: string): Promise<unknown> =>
      readOriginalModel({ ...file, tensors: new Map([[key, file.tensors.values().next().value!]]) });
    await expect(one("model.diffusion_model.joint_blocks.0.x")).rejects.toThrow(
      "this is Stable Diffusion 3, which is not",
    );
    await expect(one("edm_mean")).rejects.toThrow("this is Playground v2.5");
    await expect(one("something")).rejects.toThrow("it holds no U-Net of Stable Diffusion");
  });
});
