import { guidanceCoefficients } from "../diffusion/guidance.ts";
import { RuntimeFailure, UsageError } from "../errors.ts";
import type { Sampler, SamplingStep } from "../samplers/sampler.ts";
import { allFinite, linearCombination } from "../tensor/arithmetic.ts";
import { Mt19937 } from "../tensor/random/mt19937.ts";
import { elementCount, float32, type Tensor } from "../tensor/tensor.ts";
import type { Conditioning, TextConditioning } from "./conditioning.ts";
import type { Model } from "./model.ts";
import type { Networks } from "./networks.ts";
import { latentSize, type Size } from "./size.ts";

type Floats = Tensor<"float32">;

/** Which pictures to draw. */
export interface TextToImageRequest {
  readonly conditioning: Conditioning;
  readonly sampler: Sampler;
  readonly size: Size;
  /** Of the first picture, a whole number from 0 to 2^53 - 1; each further picture's is one higher. */
  readonly seed: number;
  /** How many pictures. */
  readonly count: number;
}

/** A step of the picture of that number, counted from 0. */
export interface DrawingStep extends SamplingStep {
  readonly kind: "step";
  readonly picture: number;
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
  /** How often the U-Net was run for this picture. */
  readonly networkCalls: number;
}

/**
 * Draws pictures from a prompt, one after the other; yields every step and every picture.
 *
 * Each picture has a generator of its own, torch's for the CPU, seeded with `seed` plus its number: it does not depend on
 * how many are drawn with it, and starts from the noise that diffusers starts from. A sampler that asks for fresh noise
 * draws it from the same generator, as diffusers' schedulers do.
 * @throws UsageError when size, count or seed cannot be used
 * @throws RuntimeFailure when the network's output or the picture is not finite
 * @throws DOMException `AbortError` between two network calls, once the signal is aborted
 */
export async function* textToImage(
  networks: Networks,
  model: Model,
  request: TextToImageRequest,
  signal?: AbortSignal,
): AsyncGenerator<DrawingStep | DrawnPicture> {
  const { sampler, seed, count } = request;
  if (!Number.isInteger(count) || count < 1)
    throw new UsageError(`The number of pictures is ${count}, but it must be a whole number of at least 1.`);
  const shape = [1, model.unet.config.inChannels, ...latentSize(model, request.size)];
  for (let picture = 0; picture < count; picture++) {
    const generator = new Mt19937(seed + picture);
    const noise = (): Floats => float32(shape, generator.randn(elementCount(shape)));
    let networkCalls = 0;
    const predict = guidedPrediction(model, request.conditioning, (inputs) => {
      networkCalls++;
      return networks.predict(inputs, signal);
    });
    let latents = linearCombination([[sampler.initNoiseSigma, noise()]]);
    for await (const step of sampler.sample({ latents, predict, noise })) {
      latents = step.latents;
      yield { kind: "step", picture, ...step };
      signal?.throwIfAborted();
    }
    const decoded = await networks.decode(latents, signal);
    if (!allFinite(decoded)) throw new RuntimeFailure(notFinite("autoencoder's picture", model));
    const pixels = { ...decoded, shape: decoded.shape.slice(1) };
    yield { kind: "picture", picture, seed: seed + picture, pixels, latents, networkCalls };
  }
}

/** The network's output after guidance, as a sampler asks for it. */
function guidedPrediction(
  model: Model,
  { conditional, unconditional, guidanceScale, guidance }: Conditioning,
  call: Networks["predict"],
): (latents: Floats, timestep: number) => Promise<Floats> {
  return async (latents, timestep) => {
    const output = async (text: TextConditioning): Promise<Floats> => {
      const timesteps = float32([1], [timestep]);
      const result = await call({ latents, timesteps, ...text, ...(guidance === undefined ? {} : { guidance }) });
      if (!allFinite(result)) throw new RuntimeFailure(notFinite(`U-Net's output at timestep ${timestep}`, model));
      return result;
    };
    if (unconditional === undefined) return output(conditional);
    const coefficients = guidanceCoefficients(guidanceScale);
    return linearCombination([
      [coefficients.unconditional, await output(unconditional)],
      [coefficients.conditional, await output(conditional)],
    ]);
  };
}

function notFinite(what: string, { name }: Model): string {
  return `The ${what} of ${name} is not a finite number; its weights are damaged, or an adapter or the guidance is too strong.`;
}
