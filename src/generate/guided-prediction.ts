import { guidanceCoefficients } from "../diffusion/guidance.ts";
import { RuntimeFailure } from "../errors.ts";
import { allFinite, linearCombination, stack } from "../tensor/arithmetic.ts";
import { filled, type Tensor } from "../tensor/tensor.ts";
import type { Conditioning, TextConditioning } from "./conditioning.ts";
import type { Model } from "./model.ts";
import type { Networks } from "./networks.ts";

type Floats = Tensor<"float32">;

/** How a batch of latents is predicted. */
export interface PredictionSettings {
  /** Of all pictures, or each one's own. */
  readonly conditioning: Conditioning | readonly Conditioning[];
  /** Pictures in the batch. */
  readonly pictures: number;
  /** What the U-Net sees of other channels behind the latents, `[pictures, channels, h, w]`: mask and masked picture. */
  readonly further: Floats | undefined;
  /** Where sampling is, for errors, e.g. `step 2 of 4`. */
  place(): string;
}

/**
 * The U-Net's output after guidance, as a sampler asks for it: latents `[pictures, channels, h, w]` at a timestep.
 *
 * With guidance the two texts are two calls: one call with both was faster by less than a tenth, for activations twice as large.
 * @throws RuntimeFailure when an output is not finite
 */
export function guidedPrediction(
  model: Model,
  { conditioning, pictures, further, place }: PredictionSettings,
  call: Networks["predict"],
): (latents: Floats, timestep: number) => Promise<Floats> {
  const each = "conditional" in conditioning ? Array<Conditioning>(pictures).fill(conditioning) : conditioning;
  const [{ guidanceScale }] = each as [Conditioning];
  const conditional = stackedTexts(each.map((one) => one.conditional))!;
  const unconditional = stackedTexts(each.map((one) => one.unconditional));
  const embedded = stackedTexts(each.map(({ guidance }) => guidance && { context: guidance }));
  const guidance = embedded === undefined ? {} : { guidance: embedded.context };
  return async (latents, timestep) => {
    const seen = further === undefined ? latents : joinedChannels(latents, further);
    const output = async (text: TextConditioning): Promise<Floats> => {
      const result = await call({ latents: seen, timesteps: filled([pictures], timestep), ...text, ...guidance });
      if (!allFinite(result)) {
        throw new RuntimeFailure(notFinite(`U-Net's output in ${place()} (timestep ${round(timestep)})`, model));
      }
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

/** The sentence for numbers that are infinite or none. */
export function notFinite(what: string, { name }: Model): string {
  return `The ${what} of ${name} is not a finite number; its weights are damaged, or an adapter or the guidance is too strong.`;
}

/** Copies of a tensor along its first extent: `[n, ...]` becomes `[times n, ...]`. */
export function repeated(tensor: Floats, times: number): Floats {
  return times === 1 ? tensor : stack(Array<Floats>(times).fill(tensor));
}

/** Each picture's channels behind each other: `[n, a, h, w]` and `[n, b, h, w]` to `[n, a + b, h, w]`. */
export function joinedChannels(a: Floats, b: Floats): Floats {
  const [pictures, channels, height, width] = a.shape as [number, number, number, number];
  const [sizeA, sizeB] = [a.data.length / pictures, b.data.length / pictures];
  const data = new Float32Array(pictures * (sizeA + sizeB));
  for (let i = 0; i < pictures; i++) {
    data.set(a.data.subarray(i * sizeA, (i + 1) * sizeA), i * (sizeA + sizeB));
    data.set(b.data.subarray(i * sizeB, (i + 1) * sizeB), i * (sizeA + sizeB) + sizeA);
  }
  return { type: "float32", shape: [pictures, channels + b.shape[1]!, height, width], data };
}

/** The texts of a batch; undefined when a picture has none. @throws ShapeError when they have not as many rows */
function stackedTexts(texts: readonly (TextConditioning | undefined)[]): TextConditioning | undefined {
  const given = texts.filter((text) => text !== undefined);
  const [first] = given;
  if (first === undefined || given.length < texts.length) return undefined;
  const joined = Object.keys(first).map((name) => {
    const parts = given.map((text) => text[name as keyof TextConditioning] as Floats);
    return [name, parts.length === 1 ? parts[0] : stack(parts)];
  });
  return Object.fromEntries(joined) as TextConditioning;
}

function round(timestep: number): number {
  return Math.round(timestep * 10) / 10;
}
