import { RuntimeFailure, UsageError } from "../errors.ts";
import type { Sampler, SamplingInput, SamplingStep } from "../samplers/sampler.ts";
import { allFinite, split, stack } from "../tensor/arithmetic.ts";
import { Mt19937 } from "../tensor/random/mt19937.ts";
import { elementCount, float32, type Tensor } from "../tensor/tensor.ts";
import type { Conditioning } from "./conditioning.ts";
import { guidedPrediction, notFinite } from "./guided-prediction.ts";
import type { Model } from "./model.ts";
import type { Networks } from "./networks.ts";
import type { Preview } from "./preview.ts";

type Floats = Tensor<"float32">;

/** What every way of drawing is told. */
export interface DrawingRequest {
  /** Of all pictures, or each one's own: with as many rows and the same guidance. */
  readonly conditioning: Conditioning | readonly Conditioning[];
  readonly sampler: Sampler;
  /** Of the first picture, a whole number from 0 to 2^53 - 1; each further picture's is one higher. Or each one's own. */
  readonly seed: number | readonly number[];
  /** How many pictures. */
  readonly count: number;
  /** How many of them one network call draws at most; 1 unless given. No picture depends on it. */
  readonly batch?: number;
  /** Makes what a picture would look like at each step; none unless given. */
  readonly preview?: Preview;
  /** Called before each step of each batch with its number, from 0, such as to change adapters; nothing unless given. */
  readonly beforeStep?: (index: number) => Promise<void>;
}

/** A step of the picture of that number, counted from 0. */
export interface DrawingStep extends SamplingStep {
  readonly kind: "step";
  readonly picture: number;
  /** What the predicted picture looks like, `[3, height, width]`, about [-1, 1], in a size of the preview's own. */
  readonly preview?: Floats;
}

/** A picture that is done. */
export interface DrawnPicture {
  readonly kind: "picture";
  readonly picture: number;
  readonly seed: number;
  /** `[3, height, width]`, about [-1, 1]. */
  readonly pixels: Floats;
  /** What it was decoded from, `[1, channels, h, w]`. */
  readonly latents: Floats;
  /** How often the U-Net was run for this picture; a call for a batch counts for each of its pictures. */
  readonly networkCalls: number;
}

/** Unit noise for a batch, `[pictures, channels, h, w]`: each picture's from its own generator. */
export type BatchNoise = () => Floats;

/** Where sampling of a batch begins. */
export interface Beginning {
  /** `[pictures, channels, h, w]`. */
  readonly latents: Floats;
  /** Further channels of the U-Net's input, `[pictures, channels, h, w]`. */
  readonly further?: Floats;
  readonly amend?: NonNullable<SamplingInput["amend"]>;
}

/** What tells one way of drawing from another. */
export interface DrawingWay {
  /** The latents' `[h, w]`. */
  readonly latentSize: readonly [number, number];
  begin(noise: BatchNoise, pictures: number): Beginning;
  /** Changes a decoded picture `[3, height, width]`; not unless given. */
  finish?(pixels: Floats): Floats;
}

/**
 * Draws pictures batch by batch; yields every step and every picture.
 *
 * Each picture has a generator of its own, torch's for the CPU, seeded with `seed` plus its number: it does not depend on
 * how many are drawn with it. A sampler that asks for fresh noise draws it from the same generator, as diffusers'
 * schedulers do. A sampler that chooses its steps by its error gets every picture alone.
 * @throws UsageError when count, batch or seed cannot be used
 * @throws RuntimeFailure when the network's output, the latents or the picture are not finite
 * @throws DOMException `AbortError` between two network calls, once the signal is aborted
 */
export async function* drawInBatches(
  networks: Networks,
  model: Model,
  request: DrawingRequest,
  way: DrawingWay,
  signal?: AbortSignal,
): AsyncGenerator<DrawingStep | DrawnPicture> {
  const { sampler, seed, count, batch = 1 } = request;
  requireCount("The number of pictures", count);
  requireCount("The number of pictures in a batch", batch);
  const most = sampler.adaptive === true ? 1 : batch;
  const seedOf = eachOwn("seeds", seed, count) ?? ((picture: number): number => (seed as number) + picture);
  const own = eachOwn("conditionings", request.conditioning, count);
  for (let first = 0; first < count; first += most) {
    const pictures = Array.from({ length: Math.min(most, count - first) }, (_, i) => first + i);
    const conditioning = own === undefined ? request.conditioning : pictures.map(own);
    yield* drawBatch(
      networks,
      model,
      { ...request, conditioning },
      way,
      { first, seeds: pictures.map(seedOf) },
      signal,
    );
  }
}

interface Batch {
  /** Number of its first picture. */
  readonly first: number;
  readonly seeds: readonly number[];
}

async function* drawBatch(
  networks: Networks,
  model: Model,
  { conditioning, sampler, preview, beforeStep }: DrawingRequest,
  way: DrawingWay,
  { first, seeds }: Batch,
  signal: AbortSignal | undefined,
): AsyncGenerator<DrawingStep | DrawnPicture> {
  const pictures = seeds.length;
  const generators = seeds.map((one) => new Mt19937(one));
  const shape = [1, model.autoencoder.config.latentChannels, ...way.latentSize];
  const noise: BatchNoise = () =>
    stack(generators.map((generator) => float32(shape, generator.randn(elementCount(shape)))));
  const { latents: start, further, amend } = way.begin(noise, pictures);
  let [networkCalls, stepsDone] = [0, 0];
  const place = (): string => placeOf(sampler, stepsDone);
  const predict = guidedPrediction(model, { conditioning, pictures, further, place }, (inputs) => {
    networkCalls++;
    return networks.predict(inputs, signal);
  });
  let latents = start;
  await beforeStep?.(0);
  for await (const step of sampler.sample({ latents, predict, noise, ...(amend === undefined ? {} : { amend }) })) {
    if (!allFinite(step.latents)) throw new RuntimeFailure(notFinite(`latents after ${place()}`, model));
    latents = step.latents;
    stepsDone++;
    yield* eachPicture(step, first, pictures, preview, signal);
    signal?.throwIfAborted();
    if (stepsDone < sampler.timesteps.length) await beforeStep?.(stepsDone);
  }
  for (const [i, one] of split(latents, pictures).entries()) {
    const decoded = await networks.decode(one, signal);
    if (!allFinite(decoded)) throw new RuntimeFailure(notFinite("autoencoder's picture", model));
    const whole = { ...decoded, shape: decoded.shape.slice(1) };
    const pixels = way.finish?.(whole) ?? whole;
    yield { kind: "picture", picture: first + i, seed: seeds[i]!, pixels, latents: one, networkCalls };
    signal?.throwIfAborted();
  }
}

/** A step of a batch as steps of its pictures. */
async function* eachPicture(
  step: SamplingStep,
  first: number,
  pictures: number,
  preview: Preview | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<DrawingStep> {
  const [latents, denoised] = [split(step.latents, pictures), split(step.denoised, pictures)];
  for (let i = 0; i < pictures; i++) {
    const one = { ...step, latents: latents[i]!, denoised: denoised[i]! };
    const shown = preview === undefined ? {} : { preview: await preview(one.denoised, signal) };
    yield { kind: "step", picture: first + i, ...one, ...shown };
  }
}

function placeOf({ timesteps, adaptive }: Sampler, stepsDone: number): string {
  return adaptive === true ? `step ${stepsDone + 1}` : `step ${stepsDone + 1} of ${timesteps.length}`;
}

/** Each picture's own of what was given for each; undefined when one was given for all. */
function eachOwn<T>(what: string, given: T | readonly T[], count: number): ((picture: number) => T) | undefined {
  if (!isList(given)) return undefined;
  if (given.length === count) return (picture) => given[picture]!;
  throw new UsageError(`There are ${given.length} ${what} for ${count} pictures; give one for each, or one for all.`);
}

function isList<T>(given: T | readonly T[]): given is readonly T[] {
  return Array.isArray(given);
}

function requireCount(what: string, count: number): void {
  if (Number.isInteger(count) && count >= 1) return;
  throw new UsageError(`${what} is ${count}, but it must be a whole number of at least 1.`);
}
