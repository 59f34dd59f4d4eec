import { existsSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formula } from "../../test/parity/formula.ts";
import { tinyModelFiles, writeTinyModel } from "../../test/tiny-model.ts";
import { decodeSafetensors, encodeSafetensors } from "../formats/safetensors.ts";
import type { Model } from "../generate/model.ts";
import { createNetworks } from "../generate/networks.ts";
import { originalAutoencoderPath } from "../models/checkpoint/original/autoencoder-names.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { openAutoencoder, withAutoencoder } from "./open-autoencoder.ts";
import { adaptedModel, type OpenedModel, openModel } from "./open-model.ts";

let folder = "";
let opened: OpenedModel;
let model: Model;
const runtime = onnxRuntime({ threads: 1 });
const latents = formula("latents", [1, 4, 4, 4]);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-vae-"));
  await writeTinyModel(join(folder, "tiny"));
  opened = await openModel(join(folder, "tiny"));
  model = await adaptedModel(opened, []);
});
afterAll(async () => {
  await runtime.dispose();
  await opened.folder.close();
  await rm(folder, { recursive: true });
});

const decode = (one: Model): Promise<Tensor<"float32">> => createNetworks(runtime, one).decode(latents);

async function decodedThrough(path: string): Promise<Tensor<"float32">> {
  await using other = await openAutoencoder(path, model.autoencoder);
  return decode(withAutoencoder(model, other));
}

describe("openAutoencoder", () => {
  it("opens folders, whole models and single files of an AutoencoderKL", async () => {
    const expected = await decode(model);
    const vae = join(folder, "tiny", "vae");
    const alone = join(folder, "alone.safetensors");
    await cp(join(vae, "diffusion_pytorch_model.safetensors"), alone);
    for (const path of [vae, join(folder, "tiny"), alone]) expect(await decodedThrough(path)).toEqual(expected);
  });

  it("opens files in the original names", async () => {
    const expected = await decode(model);
    const name = "vae/diffusion_pytorch_model.safetensors";
    const tensors = decodeSafetensors(tinyModelFiles().get(name)!, name);
    for (const prefix of ["", "first_stage_model."]) {
      const renamed = Array.from(tensors, ([key, tensor]): [string, Tensor] => {
        const end = key.lastIndexOf(".");
        return [`${prefix}${originalAutoencoderPath(key.slice(0, end), 3)}${key.slice(end)}`, tensor];
      });
      const path = join(folder, "original.safetensors");
      await writeFile(path, encodeSafetensors(new Map(renamed)));
      expect(await decodedThrough(path)).toEqual(expected);
    }
  });

  it("says what it did not find", async () => {
    await mkdir(join(folder, "empty"));
    await expect(openAutoencoder(join(folder, "nowhere"), model.autoencoder)).rejects.toThrow(
      "there is no such file or folder; give an autoencoder's file or folder.",
    );
    await expect(openAutoencoder(join(folder, "empty"), model.autoencoder)).rejects.toThrow(
      "empty: this folder holds no autoencoder; config.json, model_index.json or taesd_decoder.safetensors was expected.",
    );
  });
});

const taesd = "../shared/data/taesd";

describe.skipIf(!existsSync(taesd))(`TAESD (skipped where ${taesd} is absent)`, () => {
  it("takes the place of Stable Diffusion's autoencoder, from its folder or either file", async () => {
    const networks = async (path: string) => {
      // Bare files are read into memory.
      await using other = await openAutoencoder(path, model.autoencoder);
      return createNetworks(runtime, withAutoencoder(model, other));
    };
    const fromFolder = await networks(taesd);
    const pictures = await fromFolder.decode(latents);
    expect(pictures.shape).toEqual([1, 3, 32, 32]);
    expect(await (await networks(`${taesd}/taesd_decoder.safetensors`)).decode(latents)).toEqual(pictures);
    const { mean } = await fromFolder.encode(pictures);
    expect((await (await networks(`${taesd}/taesd_encoder.safetensors`)).encode(pictures)).mean).toEqual(mean);
  });

  it("is asked for its other half only when that is needed", async () => {
    const alone = join(folder, "taesd_decoder.safetensors");
    // Copied by its bytes: the shared files are read-only.
    await writeFile(alone, readFileSync(`${taesd}/taesd_decoder.safetensors`));
    await using other = await openAutoencoder(alone, model.autoencoder);
    const networks = createNetworks(runtime, withAutoencoder(model, other));
    const pictures = await networks.decode(latents);
    await expect(networks.encode(pictures)).rejects.toThrow(
      "taesd_encoder.safetensors is missing, which this needs; put it beside the other half.",
    );
  });

  it("is refused by models of other latents", async () => {
    await using other = await openAutoencoder(taesd, model.autoencoder);
    const config = { ...model.autoencoder.config, latentChannels: 16 };
    const wide = { ...model, autoencoder: { ...model.autoencoder, config } } as Model;
    expect(() => withAutoencoder(wide, other)).toThrow(
      "taesd: this autoencoder's latents have 4 channels, but tiny draws 16; it is of another family.",
    );
  });
});
