import { UsageError } from "../../errors.ts";
import type { FeatureIdentity, FeatureNetwork } from "../../evaluation/features.ts";
import { pictureBytes, resizePlanes } from "../../evaluation/resize.ts";
import { readMeasureWeights } from "../../evaluation/weights.ts";
import { createNetworks } from "../../generate/networks.ts";
import { naturalSize } from "../../generate/size.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { elementCount, filled, float32, type Tensor } from "../../tensor/tensor.ts";
import { adaptedModel, openModel } from "../open-model.ts";
import { shippedModelFolder, shippedModelName } from "../shipped-model.ts";

const batch = 8;

/**
 * A network that makes features and needs no file from elsewhere: the latents of the shipped model's autoencoder. They tell
 * layout and colours more than what is shown, so that published networks are to be preferred.
 * @throws UsageError when this installation lacks the shipped model
 */
export async function autoencoderFeatures(runtime: Runtime): Promise<FeatureNetwork> {
  const opened = await openModel(shippedModelFolder());
  const model = await adaptedModel(opened, []);
  const networks = createNetworks(runtime, model);
  const { width, height } = naturalSize(model);
  const size = 3 * width * height;
  const { fingerprint } = await readMeasureWeights(
    await opened.folder.source("vae/diffusion_pytorch_model.safetensors"),
  );
  const prepared = (picture: Tensor<"float32">): Float32Array =>
    resizePlanes(pictureBytes(picture), height, width, "pillow").data.map((x) => x / 127.5 - 1);
  const encode = async (pictures: Tensor<"float32">, signal?: AbortSignal): Promise<Tensor<"float32">> =>
    (await networks.encode(pictures, signal)).mean;
  const probe = await encode(filled([batch, 3, height, width]));
  const features = elementCount(probe.shape) / batch;
  const identity: FeatureIdentity = {
    network: `${shippedModelName}-autoencoder ${features}`,
    resizing: "pillow",
    fingerprint,
  };
  return {
    identity,
    width: features,
    async extract(pictures, { signal } = {}) {
      const rows: Float32Array[] = [];
      let waiting: Float32Array[] = [];
      const flush = async (): Promise<void> => {
        const together = filled([batch, 3, height, width]);
        waiting.forEach((picture, i) => {
          together.data.set(picture, i * size);
        });
        const { data } = await encode(together, signal);
        for (let i = 0; i < waiting.length; i++) rows.push(data.slice(i * features, (i + 1) * features));
        waiting = [];
      };
      for await (const picture of pictures) {
        waiting.push(prepared(picture));
        if (waiting.length === batch) await flush();
      }
      if (waiting.length > 0) await flush();
      if (rows.length === 0) throw new UsageError("There is no picture to measure; at least one is needed.");
      const all = new Float32Array(rows.length * features);
      rows.forEach((row, i) => {
        all.set(row, i * features);
      });
      return { identity, rows: float32([rows.length, features], all) };
    },
    async dispose() {
      await networks.dispose();
      await opened.folder.close();
    },
  };
}
