import { alphaAt, sigmaAt } from "../diffusion/schedule.ts";
import { distilledBetas, scheduleFromConfig } from "../diffusion/scheduler-config.ts";
import { UsageError } from "../errors.ts";
import { encodePrompt, type TextConditioning } from "../generate/conditioning.ts";
import type { Model } from "../generate/model.ts";
import type { Networks } from "../generate/networks.ts";
import { stack } from "../tensor/arithmetic.ts";
import { counterNormal, counterPermutation } from "../tensor/random/counter.ts";
import { filled, float32, type Tensor } from "../tensor/tensor.ts";
import { type BootstrapOptions, bootstrapMean, type Estimate } from "./bootstrap.ts";

/** A picture with captions of which one is its own. */
export interface RetrievalItem {
  /** `[3, height, width]` in [-1, 1], of the size that the model draws. */
  readonly picture: Tensor<"float32">;
  /** Its own caption, then others. */
  readonly captions: readonly [string, ...string[]];
}

export interface RetrievalOptions {
  /** Timesteps whose errors are added up. */
  readonly timesteps: readonly number[];
  readonly signal?: AbortSignal;
  readonly interval?: Partial<BootstrapOptions>;
}

export const retrievalDefaults: RetrievalOptions = { timesteps: [400, 600, 800] };

export interface CaptionRetrieval {
  /** Share of pictures whose own caption explains them best, 0 to 1. */
  readonly share: Estimate;
  /** 1 where that is so, by picture. */
  readonly each: Float64Array;
  /** Captions to choose from; chance is 1 / candidates. */
  readonly candidates: number;
  readonly timesteps: readonly number[];
  /** The model that judged. */
  readonly model: string;
}

/** Places of a few others among `count`, in an order of their own for each picture. */
export function otherPlaces(count: number, wanted: number, picture: number): Int32Array {
  return counterPermutation(0, "others", picture, count).subarray(0, wanted);
}

/**
 * Caption retrieval by a diffusion model (Li et al., arXiv:2303.16203): a picture is mixed with noise, and the model predicts
 * the noise with each caption; the one with the least error is its answer. It needs no other network than the model.
 *
 * The model should be the base and not the one that drew the pictures, nor one with an acceleration vector.
 * @throws UsageError when there is no picture, a caption is empty, or the numbers of captions differ
 */
export async function captionRetrieval(
  networks: Networks,
  model: Model,
  items: readonly RetrievalItem[],
  options: Partial<RetrievalOptions> = {},
): Promise<CaptionRetrieval> {
  const { timesteps, signal, interval } = { ...retrievalDefaults, ...options };
  const candidates = items[0]?.captions.length ?? 0;
  if (candidates < 2)
    throw new UsageError(
      `Caption retrieval needs a picture and two captions at least, but there are ${candidates} captions.`,
    );
  items.forEach(({ captions }, i) => {
    if (captions.length !== candidates)
      throw new UsageError(
        `Picture ${i + 1} has ${captions.length} captions, but the first has ${candidates}; give each as many.`,
      );
    if (captions.some((caption) => caption.trim() === ""))
      throw new UsageError(`Picture ${i + 1} has an empty caption; caption retrieval compares words.`);
  });
  const texts = new Map<string, TextConditioning>();
  const each = new Float64Array(items.length);
  for (const [place, { picture, captions }] of items.entries()) {
    const given: TextConditioning[] = [];
    for (const prompt of captions) {
      const known = texts.get(prompt);
      const text =
        known ??
        (await encodePrompt(networks, model, { prompt, negativePrompt: "", guidanceScale: 1 }, signal)).conditional;
      texts.set(prompt, text);
      given.push(text);
    }
    const errors = await errorsOf(networks, model, picture, given, timesteps, place, signal);
    each[place] = errors.indexOf(Math.min(...errors)) === 0 ? 1 : 0;
  }
  return { share: await bootstrapMean(each, interval), each, candidates, timesteps, model: model.name };
}

/** Sums of squared errors of the predicted noise, for each caption. */
async function errorsOf(
  networks: Networks,
  model: Model,
  picture: Tensor<"float32">,
  texts: readonly TextConditioning[],
  timesteps: readonly number[],
  place: number,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const schedule = scheduleFromConfig(model.scheduler, distilledBetas);
  const { mean } = await networks.encode({ ...picture, shape: [1, ...picture.shape] }, signal);
  const errors = new Array<number>(texts.length).fill(0);
  for (const t of timesteps) {
    const noise = counterNormal(t, "noise", place, mean.data.length);
    const noisy = mean.data.map((x, i) => alphaAt(schedule, t) * x + sigmaAt(schedule, t) * noise[i]!);
    for (const places of byLength(texts)) {
      const some = places.map((n) => texts[n]!);
      const pooled = some.flatMap((text) => (text.pooled === undefined ? [] : [text.pooled]));
      const latents = filled([some.length, ...mean.shape.slice(1)]);
      for (let n = 0; n < some.length; n++) latents.data.set(noisy, n * noisy.length);
      const request = {
        latents,
        timesteps: float32([some.length], new Array<number>(some.length).fill(t)),
        context: stack(some.map((text) => text.context)),
        ...(pooled.length > 0 ? { pooled: stack(pooled) } : {}),
      };
      const { data } = await networks.predict(request, signal);
      for (let i = 0; i < data.length; i++)
        errors[places[Math.floor(i / noisy.length)]!]! += (data[i]! - noise[i % noisy.length]!) ** 2;
    }
  }
  return errors;
}

/** Places of texts that go through the network together: those of as many tokens. */
function byLength(texts: readonly TextConditioning[]): number[][] {
  const groups = new Map<number, number[]>();
  texts.forEach(({ context }, place) => {
    const tokens = context.shape[0]!;
    groups.set(tokens, [...(groups.get(tokens) ?? []), place]);
  });
  return [...groups.values()];
}
