import { encode as encodeGraph } from "../graph/encode.ts";
import { input, type Value } from "../graph/value.ts";
import { clipTextModel } from "../models/clip.ts";
import { layers } from "../models/layers.ts";
import { swapBatchAndChannels } from "../models/maps.ts";
import { unet } from "../models/unet/unet.ts";
import { decodeLatents, encodePictures } from "../models/vae/autoencoder-kl.ts";
import { decodeLatentsTiny, encodePicturesTiny } from "../models/vae/autoencoder-tiny.ts";
import type { Runtime, Session } from "../runtime/runtime.ts";
import { linearCombination } from "../tensor/arithmetic.ts";
import { filled, type Tensor } from "../tensor/tensor.ts";
import type { AutoencoderNetwork, Model } from "./model.ts";

type Floats = Tensor<"float32">;

/** What the U-Net is asked. */
export interface UNetRequest {
  /** Noisy latents `[n, in_channels, h, w]`. */
  readonly latents: Floats;
  /** `[n]`, in training timesteps. */
  readonly timesteps: Floats;
  /** Hidden states of the texts, `[n * tokens, width]`. */
  readonly context: Floats;
  /** Embedding of the guidance `[n, time_cond_proj_dim]`; full latent consistency models need it, no other takes it. */
  readonly guidance?: Floats;
}

/** The normal distribution of a picture's latents, as diffusion takes them: times `scaling_factor`. */
export interface EncodedPictures {
  /** `[n, latent_channels, h, w]`. */
  readonly mean: Floats;
  /** Of the mean's shape; zeros for autoencoders that know no distribution. */
  readonly deviation: Floats;
}

/**
 * The networks of one model, ready to run: each is compiled when a size and batch is first asked for, and kept.
 *
 * They own memory outside the garbage collector's sight until they are disposed. A signal that is aborted stops a call
 * before it begins.
 */
export interface Networks {
  /** Token numbers `[n, tokens]` to the text encoder's normalised hidden states `[n * tokens, width]`. */
  encodeText(ids: Tensor<"int64">, signal?: AbortSignal): Promise<Floats>;
  /** The U-Net's output `[n, out_channels, h, w]`. */
  predict(request: UNetRequest, signal?: AbortSignal): Promise<Floats>;
  /** Latents `[n, latent_channels, h, w]`, as diffusion gives them, to pictures `[n, 3, H, W]`, about [-1, 1]. */
  decode(latents: Floats, signal?: AbortSignal): Promise<Floats>;
  /** Pictures `[n, 3, H, W]` in [-1, 1] to their latents. */
  encode(pictures: Floats, signal?: AbortSignal): Promise<EncodedPictures>;
  dispose(): Promise<void>;
}

/** The networks of a model on a runtime; nothing is compiled yet. */
export function createNetworks(runtime: Runtime, model: Model): Networks {
  const sessions = new Map<string, Promise<Session>>();
  const options = model.folder === undefined ? {} : { folder: model.folder };

  const compiled = (name: string, shapes: readonly Tensor[], build: () => Record<string, Value>): Promise<Session> => {
    const key = `${name} ${shapes.map(({ shape }) => shape.join("x")).join(" ")}`;
    const known = sessions.get(key);
    if (known !== undefined) return known;
    const compiling = Promise.resolve()
      .then(() => runtime.compile(encodeGraph(build()), options))
      .catch((error: unknown) => {
        sessions.delete(key);
        throw error;
      });
    sessions.set(key, compiling);
    return compiling;
  };
  const dispose = async (): Promise<void> => {
    const opened = await Promise.allSettled(sessions.values());
    sessions.clear();
    for (const one of opened) if (one.status === "fulfilled") await one.value.dispose();
  };

  return {
    async encodeText(ids, signal) {
      const session = await compiled("text encoder", [ids], () => {
        const { config, source } = model.textEncoder;
        return { states: clipTextModel(layers(source), config, input("ids", ids.shape, "int64")).lastHiddenState };
      });
      return read(session, { ids }, "states", signal);
    },
    async predict(request, signal) {
      const tensors = Object.entries(request) as [string, Floats][];
      const given = tensors.map(([, tensor]) => tensor);
      const session = await compiled("U-Net", given, () => ({ output: unetGraph(model, request) }));
      return read(session, Object.fromEntries(tensors), "output", signal);
    },
    async decode(latents, signal) {
      const { autoencoder } = model;
      const session = await compiled("decoder", [latents], () => ({
        pictures: swapBatchAndChannels(decoderGraph(autoencoder, latents.shape)),
      }));
      const unscaled = linearCombination([[1 / autoencoder.config.scalingFactor, latents]]);
      return read(session, { latents: unscaled }, "pictures", signal);
    },
    async encode(pictures, signal) {
      const { autoencoder } = model;
      const session = await compiled("encoder", [pictures], () => encoderGraph(autoencoder, pictures.shape));
      const { mean, logVariance } = await session.run({ pictures }, signal === undefined ? {} : { signal });
      const { scalingFactor } = autoencoder.config;
      return {
        mean: linearCombination([[scalingFactor, mean as Floats]]),
        deviation: deviationOf((mean as Floats).shape, logVariance as Floats | undefined, scalingFactor),
      };
    },
    dispose,
  };
}

async function read(
  session: Session,
  inputs: Readonly<Record<string, Tensor>>,
  output: string,
  signal: AbortSignal | undefined,
): Promise<Floats> {
  const results = await session.run(inputs, signal === undefined ? {} : { signal });
  return results[output] as Floats;
}

function unetGraph(model: Model, { latents, timesteps, context, guidance }: UNetRequest): Value {
  const { config, source } = model.unet;
  const output = unet(layers(source), config, {
    latents: swapBatchAndChannels(input("latents", latents.shape)),
    timesteps: input("timesteps", timesteps.shape),
    context: input("context", context.shape),
    ...(guidance === undefined ? {} : { guidance: input("guidance", guidance.shape) }),
  });
  return swapBatchAndChannels(output);
}

function decoderGraph(autoencoder: AutoencoderNetwork, shape: readonly number[]): Value {
  const latents = swapBatchAndChannels(input("latents", shape));
  const at = layers(autoencoder.source);
  return autoencoder.kind === "kl"
    ? decodeLatents(at, autoencoder.config, latents)
    : decodeLatentsTiny(at, autoencoder.config, latents);
}

function encoderGraph(autoencoder: AutoencoderNetwork, shape: readonly number[]): Record<string, Value> {
  const pictures = swapBatchAndChannels(input("pictures", shape));
  const at = layers(autoencoder.source);
  if (autoencoder.kind === "tiny") {
    return { mean: swapBatchAndChannels(encodePicturesTiny(at, autoencoder.config, pictures)) };
  }
  const { mean, logVariance } = encodePictures(at, autoencoder.config, pictures);
  return { mean: swapBatchAndChannels(mean), logVariance: swapBatchAndChannels(logVariance) };
}

/** exp(logVariance / 2), kept in the range that diffusers keeps it in, times the factor. */
function deviationOf(shape: readonly number[], logVariance: Floats | undefined, factor: number): Floats {
  if (logVariance === undefined) return filled(shape);
  const data = logVariance.data.map((x) => factor * Math.exp(0.5 * Math.min(20, Math.max(-30, x))));
  return { type: "float32", shape, data };
}
