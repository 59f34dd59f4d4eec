import type { Model } from "../src/generate/model.ts";
import type { Networks, UNetRequest } from "../src/generate/networks.ts";
import { memoryParameters } from "../src/models/checkpoint/parameters.ts";
import { clipTextConfig } from "../src/models/clip.ts";
import { trainTokenizerFiles } from "../src/models/tokenizer/bpe-trainer.ts";
import { loadClipTokenizer } from "../src/models/tokenizer/clip-tokenizer.ts";
import { unetConfig } from "../src/models/unet/config.ts";
import { autoencoderConfig } from "../src/models/vae/config.ts";
import { linearCombination } from "../src/tensor/arithmetic.ts";
import { filled, float32, type Tensor } from "../src/tensor/tensor.ts";

const { source } = memoryParameters(new Map(), "nothing");

/** A model of two latent channels and two pixels a latent, without weights. */
export const smallModel: Model = {
  name: "small",
  folder: undefined,
  unet: { config: smallUNet(2), source },
  autoencoder: { kind: "kl", config: autoencoderConfig({ block_out_channels: [8, 8], latent_channels: 2 }), source },
  textEncoder: { config: clipTextConfig({ max_position_embeddings: 6, hidden_size: 1 }), source },
  tokenizer: loadClipTokenizer(
    trainTokenizerFiles(["a red apple"], { vocabularySize: 540, minimumCount: 1, maxLength: 77 }),
  ),
  scheduler: {},
};

function smallUNet(inChannels: number): Model["unet"]["config"] {
  return unetConfig({
    sample_size: 4,
    in_channels: inChannels,
    block_out_channels: [8, 8],
    down_block_types: ["DownBlock2D", "DownBlock2D"],
    up_block_types: ["UpBlock2D", "UpBlock2D"],
  });
}

/** The same with a U-Net that takes other channels. */
export function smallModelOf(inChannels: number): Model {
  return { ...smallModel, unet: { config: smallUNet(inChannels), source } };
}

/** What tests may want of networks otherwise. */
export interface SmallNetworks {
  /** What the U-Net was asked, to be written down. */
  readonly asked?: UNetRequest[];
  /** Share of the latents in the U-Net's output; the rest is a sum over each picture's text. */
  readonly share?: number;
  /** What a picture's mean and deviation are, everywhere. */
  readonly encoded?: readonly [mean: number, deviation: number];
}

/** Networks that compute next to nothing, each picture of a batch for itself. */
export function smallNetworks({ asked = [], share = 0.5, encoded = [0, 0] }: SmallNetworks = {}): Networks {
  const sum = ({ data }: Tensor<"float32">): number => data.reduce((a, b) => a + b, 0);
  return {
    encodeText: async ({ ids: { data } }) => ({
      states: float32(
        [data.length, 1],
        Float32Array.from(data, (id) => Number(id) / 1000),
      ),
    }),
    predict: async (request) => {
      asked.push(request);
      const { latents, context } = request;
      const [pictures, , h, w] = latents.shape as [number, number, number, number];
      const size = 2 * h * w;
      const own = filled([pictures, 2, h, w]);
      for (let i = 0; i < pictures; i++) {
        const begin = (i * latents.data.length) / pictures;
        own.data.set(latents.data.subarray(begin, begin + size), i * size);
      }
      return linearCombination([
        [share, own],
        [1, filled(own.shape, sum(context) / pictures / 10)],
      ]);
    },
    decode: async ({ data, shape: [, , h, w] }) =>
      float32([1, 3, 2 * h!, 2 * w!], new Float32Array(12 * h! * w!).fill(data[0]!)),
    encode: async ({ shape: [, , height, width] }) => {
      const shape = [1, 2, height! / 2, width! / 2];
      return { mean: filled(shape, encoded[0]), deviation: filled(shape, encoded[1]) };
    },
    // They have no weights that adapters could change.
    replaceUNet: async () => {},
    replaceTextEncoders: async () => {},
    dispose: async () => {},
  };
}
