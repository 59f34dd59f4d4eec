import { encodePrepared } from "../graph/prepare.ts";
import { input, type Value } from "../graph/value.ts";
import { halfRule } from "../models/half-precision.ts";
import { layers, plainRule } from "../models/layers.ts";
import { swapBatchAndChannels } from "../models/maps.ts";
import { unetTable } from "../models/module-table.ts";
import { unet } from "../models/unet/unet.ts";
import type { CompileOptions, Runtime, Session } from "../runtime/runtime.ts";
import { elementCount, float32, type Tensor } from "../tensor/tensor.ts";
import { encodeText, textEncoderName } from "./encode-text.ts";
import type { Model, TextNetworks, UNetNetwork } from "./model.ts";
import type { Precision } from "./precision.ts";
import { type AutoencoderOptions, autoencoderDefaults, autoencoderRuns } from "./run-autoencoder.ts";
import { pixelsPerLatent } from "./size.ts";

type Floats = Tensor<"float32">;

/** What a text encoder is asked. */
export interface TextRequest {
  /** Token numbers `[n, tokens]`; those from the vocabulary's size on stand for vectors of `learned`. */
  readonly ids: Tensor<"int64">;
  /** The model's text encoder, or SDXL's second; the first unless told. */
  readonly encoder?: "first" | "second";
  /** How many of the last layers are passed over, beyond what the model itself passes over: diffusers' `clip_skip`. */
  readonly skippedLayers?: number;
  /** Vectors `[width]` of words that the vocabulary lacks, by their token numbers: textual inversion. */
  readonly learned?: ReadonlyMap<number, Float32Array>;
  /** `[n, tokens]`: 1 for tokens that no other looks at, as if they were not there; 0 for others. */
  readonly hidden?: Tensor<"float32">;
}

/** Texts as the U-Net takes them. */
export interface EncodedText {
  /** Hidden states `[n * tokens, width]`: the last, normalised; of a model with two encoders the last but one, as it is. */
  readonly states: Floats;
  /** The projected state of each text's end `[n, projection_dim]`, from an encoder that has a projection. */
  readonly pooled?: Floats;
}

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
  /** Pooled texts `[n, projection_dim]`, for SDXL. */
  readonly pooled?: Floats;
  /**
   * What SDXL is told of the picture's size, `[n, 6]`: height and width of the original, top and left of the crop, height
   * and width of the target, in pixels. Unless given, the picture is its own original, uncropped.
   */
  readonly sizes?: Floats;
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
  /** Token numbers to hidden states, and the pooled text where the encoder gives one. */
  encodeText(request: TextRequest, signal?: AbortSignal): Promise<EncodedText>;
  /** The U-Net's output `[n, out_channels, h, w]`. */
  predict(request: UNetRequest, signal?: AbortSignal): Promise<Floats>;
  /** Latents `[n, latent_channels, h, w]`, as diffusion gives them, to pictures `[n, 3, H, W]`, about [-1, 1]. */
  decode(latents: Floats, signal?: AbortSignal): Promise<Floats>;
  /** Pictures `[n, 3, H, W]` in [-1, 1] to their latents. */
  encode(pictures: Floats, signal?: AbortSignal): Promise<EncodedPictures>;
  /**
   * Predicts with another U-Net from now on, such as one with other adapters: what they change is computed at the next
   * prediction, and where its size and the changed layers are those of the last, nothing is compiled. The text encoders and
   * the autoencoder stay as they are.
   */
  replaceUNet(unet: UNetNetwork): Promise<void>;
  /** Reads texts with other text encoders from now on, such as those with other adapters; they are compiled anew. */
  replaceTextEncoders(texts: TextNetworks): Promise<void>;
  dispose(): Promise<void>;
}

/**
 * Compiles a graph for tensors of given shapes, or finds the session where that was done before.
 * @param options its folder is where the graph's files lie; the model's unless told
 */
export type Compile = (
  name: string,
  shapes: readonly Tensor[],
  build: () => Record<string, Value>,
  options?: CompileOptions,
) => Promise<Session>;

/** How networks run. */
export interface NetworkOptions extends AutoencoderOptions {
  /** What the U-Net's linear layers and convolutions are computed in, for devices that compute float16; float32 unless told. */
  readonly unetPrecision: Precision;
}

/** The networks of a model on a runtime; nothing is compiled yet. Options but for `unetPrecision` are about the autoencoder. */
export function createNetworks(
  runtime: Runtime,
  model: Model,
  { unetPrecision = "float32", ...options }: Partial<NetworkOptions> = {},
): Networks {
  const sessions = new Map<string, Promise<Session>>();
  let network = model.unet;
  let texts: TextNetworks = model;
  /** The session of the U-Net before, whose place the next may take. */
  let outdated: Promise<Session> | undefined;

  const compiled: Compile = (name, shapes, build, options = {}) => {
    const key = `${name} ${shapes.map(({ shape }) => shape.join("x")).join(" ")}`;
    const known = sessions.get(key);
    if (known !== undefined) return known;
    const { folder = model.folder, layouts = true, ...others } = options;
    const place = folder === undefined ? {} : { folder };
    const compiling = Promise.resolve()
      .then(() => runtime.compile(encodePrepared(build(), layouts), { layouts, reserve: false, ...place, ...others }))
      .catch((error: unknown) => {
        sessions.delete(key);
        throw error;
      });
    sessions.set(key, compiling);
    return compiling;
  };
  const take = (of: (key: string) => boolean): Promise<Session>[] => {
    const going = [...sessions].filter(([key]) => of(key));
    for (const [key] of going) sessions.delete(key);
    return going.map(([, session]) => session);
  };

  const autoencoder = autoencoderRuns(model, compiled, { ...autoencoderDefaults, ...options });

  return {
    encodeText: (request, signal) => encodeText({ ...model, ...texts }, compiled, request, signal),
    async predict(request, signal) {
      const told = withSizes(model, request);
      const tensors = Object.entries(told) as [string, Floats][];
      const given = tensors.map(([, tensor]) => tensor);
      const unet = network;
      const replacing = await settled(outdated);
      outdated = undefined;
      const session = await compiled(unetName, given, () => ({ output: unetGraph(unet, told, unetPrecision) }), {
        layouts: !isLarge(unet),
        ...(replacing === undefined ? {} : { replacing }),
      });
      return read(session, { ...unet.slots?.inputs, ...Object.fromEntries(tensors) }, "output", signal);
    },
    decode: autoencoder.decode,
    encode: autoencoder.encode,
    async replaceUNet(unet) {
      network = unet;
      const old = take((key) => key.startsWith(`${unetName} `));
      const last = old.pop();
      await disposeAll([outdated, ...old]);
      outdated = last;
    },
    async replaceTextEncoders(others) {
      texts = others;
      await disposeAll(take((key) => key.startsWith(`${textEncoderName} `)));
    },
    dispose: () => disposeAll([outdated, ...take(() => true)]),
  };
}

/** A session that was compiled; undefined when that failed, or there is none. */
const settled = (session: Promise<Session> | undefined): Promise<Session | undefined> =>
  session === undefined ? Promise.resolve(undefined) : session.catch(() => undefined);

async function disposeAll(sessions: readonly (Promise<Session> | undefined)[]): Promise<void> {
  for (const session of sessions) await (await settled(session))?.dispose();
}

/** From so many parameters on, bringing weights into the runtime's layouts takes longer than it saves in some pictures. */
const largeModel = 2 ** 26;

const isLarge = ({ config }: UNetNetwork): boolean =>
  unetTable(config).parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0) >= largeModel;

/** What the sessions of the U-Net are called. */
const unetName = "U-Net";

async function read(
  session: Session,
  inputs: Readonly<Record<string, Tensor>>,
  output: string,
  signal: AbortSignal | undefined,
): Promise<Floats> {
  const results = await session.run(inputs, signal === undefined ? {} : { signal });
  return results[output] as Floats;
}

function unetGraph({ config, source, slots }: UNetNetwork, request: UNetRequest, precision: Precision): Value {
  const { latents, timesteps, context, guidance, pooled, sizes } = request;
  const output = unet(layers(source, slots?.rule ?? (precision === "float16" ? halfRule : plainRule)), config, {
    latents: swapBatchAndChannels(input("latents", latents.shape)),
    timesteps: input("timesteps", timesteps.shape),
    context: input("context", context.shape),
    ...(guidance === undefined ? {} : { guidance: input("guidance", guidance.shape) }),
    ...(pooled === undefined || sizes === undefined
      ? {}
      : { addition: { pooled: input("pooled", pooled.shape), sizes: input("sizes", sizes.shape) } }),
  });
  return swapBatchAndChannels(output);
}

/** Tells SDXL the size that it draws, unless the request says another. */
function withSizes(model: Model, request: UNetRequest): UNetRequest {
  if (model.unet.config.addition === undefined || request.sizes !== undefined) return request;
  const [count, , h, w] = request.latents.shape as [number, number, number, number];
  const [height, width] = [h, w].map((side) => side * pixelsPerLatent(model)) as [number, number];
  const row = [height, width, 0, 0, height, width];
  return { ...request, sizes: float32([count, 6], Array<number[]>(count).fill(row).flat()) };
}
