import { afterAll, describe, expect, it } from "vitest";
import { formula } from "../../test/parity/formula.ts";
import { tinyConfigs, tinyModelFiles } from "../../test/tiny-model.ts";
import { CheckpointError } from "../errors.ts";
import { decodeSafetensors } from "../formats/safetensors.ts";
import { encode } from "../graph/encode.ts";
import { input } from "../graph/value.ts";
import { memoryParameters } from "../models/checkpoint/parameters.ts";
import { clipTextConfig } from "../models/clip.ts";
import { layers, type ParameterSource } from "../models/layers.ts";
import { loadClipTokenizer } from "../models/tokenizer/clip-tokenizer.ts";
import { unetConfig } from "../models/unet/config.ts";
import { encodePictures } from "../models/vae/autoencoder-kl.ts";
import { autoencoderConfig } from "../models/vae/config.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { stack } from "../tensor/arithmetic.ts";
import { toFloat32 } from "../tensor/convert.ts";
import { float32, int64, type Tensor } from "../tensor/tensor.ts";
import type { Model } from "./model.ts";
import { createNetworks } from "./networks.ts";

const files = tinyModelFiles();
const text = (name: string): string => new TextDecoder().decode(files.get(name)!);
const source = (name: string): ParameterSource => {
  const tensors = Array.from(decodeSafetensors(files.get(name)!, name), ([key, one]) => [key, toFloat32(one)] as const);
  return memoryParameters(new Map(tensors), name).source;
};
const model: Model = {
  name: "tiny",
  folder: undefined,
  unet: { config: unetConfig(tinyConfigs.unet), source: source("unet/diffusion_pytorch_model.safetensors") },
  autoencoder: {
    kind: "kl",
    config: autoencoderConfig(tinyConfigs.autoencoder),
    source: source("vae/diffusion_pytorch_model.safetensors"),
  },
  textEncoder: { config: clipTextConfig(tinyConfigs.textEncoder), source: source("text_encoder/model.safetensors") },
  tokenizer: loadClipTokenizer({
    "vocab.json": text("tokenizer/vocab.json"),
    "merges.txt": text("tokenizer/merges.txt"),
  }),
  scheduler: tinyConfigs.scheduler,
};

const runtime = onnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

/** A runtime that counts what is compiled and disposed. */
function counted(): { readonly runtime: Runtime; readonly open: () => number; readonly compiled: () => number } {
  let compiled = 0;
  let open = 0;
  return {
    compiled: () => compiled,
    open: () => open,
    runtime: {
      ...runtime,
      compile: async (graph, options) => {
        compiled++;
        open++;
        const session = await runtime.compile(graph, options);
        const dispose = async (): Promise<void> => {
          open--;
          await session.dispose();
        };
        return { ...session, run: session.run.bind(session), dispose };
      },
    },
  };
}

function expectClose(actual: Tensor, expected: Tensor): void {
  expect(actual.shape).toEqual(expected.shape);
  for (const [i, x] of (actual.data as Float32Array).entries()) expect(x).toBeCloseTo(expected.data[i] as number, 4);
}

describe("createNetworks", () => {
  it("gives each picture of a batch what it would be given alone", async () => {
    const networks = createNetworks(runtime, model);
    const [a, b] = ["a", "b"].map((name) => ({
      latents: formula(`${name} latents`, [1, 4, 8, 4]),
      timesteps: float32([1], [name === "a" ? 999 : 259]),
      context: formula(`${name} context`, [3, 12]),
    }));
    const [alone, other] = [await networks.predict(a!), await networks.predict(b!)];
    const both = {
      latents: stack([a!.latents, b!.latents]),
      timesteps: stack([a!.timesteps, b!.timesteps]),
      context: stack([a!.context, b!.context]),
    };
    expectClose(await networks.predict(both), stack([alone, other]));
    expectClose(
      await networks.decode(both.latents),
      stack([await networks.decode(a!.latents), await networks.decode(b!.latents)]),
    );
    const ids = [int64([1, 4], [512, 3, 4, 513]), int64([1, 4], [512, 9, 513, 513])];
    const alone2 = await Promise.all(ids.map((one) => networks.encodeText({ ids: one })));
    const together = await networks.encodeText({ ids: int64([2, 4], [512, 3, 4, 513, 512, 9, 513, 513]) });
    expectClose(together.states, stack(alone2.map(({ states }) => states)));
    await networks.dispose();
  });

  it("encodes pictures to the scaled mean and deviation of their latents", async () => {
    const pictures = formula("pictures", [1, 3, 16, 8]);
    const networks = createNetworks(runtime, model);
    const { mean, deviation } = await networks.encode(pictures);
    const maps = float32([3, 1, 16, 8], pictures.data);
    const at = layers(model.autoencoder.source);
    const graph = encodePictures(at, autoencoderConfig(tinyConfigs.autoencoder), input("pictures", maps.shape));
    const session = await runtime.compile(encode({ mean: graph.mean, logVariance: graph.logVariance }));
    const results = await session.run({ pictures: maps });
    const [rawMean, logVariance] = ["mean", "logVariance"].map((name) => results[name]!.data as Float32Array);
    expect(mean.shape).toEqual([1, 4, 4, 2]);
    expectClose(
      mean,
      float32(
        mean.shape,
        rawMean!.map((x) => 0.5 * x),
      ),
    );
    expectClose(
      deviation,
      float32(
        mean.shape,
        logVariance!.map((x) => 0.5 * Math.exp(x / 2)),
      ),
    );
  });

  it("compiles each size once, and frees all", async () => {
    const count = counted();
    const networks = createNetworks(count.runtime, model);
    const small = formula("latents", [1, 4, 2, 2]);
    await Promise.all([networks.decode(small), networks.decode(small)]);
    await networks.decode(small);
    expect(count.compiled()).toBe(1);
    await networks.decode(formula("latents", [1, 4, 2, 4]));
    expect([count.compiled(), count.open()]).toEqual([2, 2]);
    await networks.dispose();
    expect(count.open()).toBe(0);
  });

  it("says which tensor is missing, and again when asked again", async () => {
    const lacking = { ...model, unet: { ...model.unet, source: memoryParameters(new Map(), "unet").source } };
    const networks = createNetworks(runtime, lacking);
    const request = {
      latents: formula("latents", [1, 4, 2, 2]),
      timesteps: float32([1], [9]),
      context: formula("context", [1, 12]),
    };
    for (let i = 0; i < 2; i++) await expect(networks.predict(request)).rejects.toThrow(CheckpointError);
  });

  it("does not begin once the signal is aborted", async () => {
    const networks = createNetworks(runtime, model);
    const decoding = networks.decode(formula("latents", [1, 4, 2, 2]), AbortSignal.abort());
    await expect(decoding).rejects.toMatchObject({ name: "AbortError" });
  });
});
