import { guidanceEmbedding, guidanceIsActive, paperOmegaFromGuidanceScale } from "../diffusion/guidance.ts";
import { filled, float32, int64, type Tensor } from "../tensor/tensor.ts";
import type { Model } from "./model.ts";
import type { Networks, UNetRequest } from "./networks.ts";
import { type EncodedPrompt, encodeParsed, padWindows, type WindowEncoder } from "./prompt/encode-line.ts";
import { encoderWords, type LearnedWord } from "./prompt/learned-words.ts";
import { type PromptSyntax, parsePrompt } from "./prompt/syntax.ts";

/** How texts are read. */
export interface PromptReading {
  readonly syntax: PromptSyntax;
  /** Where the text encoder is left, as A1111 counts: 1 at its last layer, 2 at the last but one. */
  readonly clipSkip: number;
  readonly learnedWords: readonly LearnedWord[];
}

/** Texts without weights, by the whole text encoder. */
export const plainReading: PromptReading = { syntax: "plain", clipSkip: 1, learnedWords: [] };

/** What a picture is to show. */
export interface Prompt {
  readonly prompt: string;
  /** What it is not to show; without guidance it has no effect. */
  readonly negativePrompt: string;
  /** Classifier-free guidance, or the embedded guidance of a full latent consistency model; 1 and below is off. */
  readonly guidanceScale: number;
  /** `plainReading` unless told. */
  readonly reading?: PromptReading;
}

/** One text as the U-Net takes it: its hidden states `[tokens, width]` and, for SDXL, its pooled text and the sizes. */
export type TextConditioning = Pick<UNetRequest, "context" | "pooled" | "sizes">;

/** A prompt as the U-Net takes it. */
export interface Conditioning {
  readonly conditional: TextConditioning;
  /** The negative prompt, when guidance mixes two predictions. */
  readonly unconditional: TextConditioning | undefined;
  readonly guidanceScale: number;
  /** `[1, time_cond_proj_dim]`, for full latent consistency models. */
  readonly guidance: Tensor<"float32"> | undefined;
}

/** Tokens that the text encoder takes at once: as many as it has places for, unless the tokenizer says fewer. */
export function tokenLimit({ tokenizer, textEncoder }: Pick<Model, "tokenizer" | "textEncoder">): number {
  return Math.min(tokenizer.maxLength, textEncoder.config.positions);
}

/** Network calls that one step takes. */
export function callsPerStep(model: Model, guidanceScale: number): 1 | 2 {
  return model.unet.config.guidanceWidth === undefined && guidanceIsActive(guidanceScale) ? 2 : 1;
}

/**
 * Encodes a prompt, and the negative prompt where guidance needs it.
 *
 * A text that is longer than what the encoder takes at once goes through it in windows, whose hidden states follow each
 * other; of two texts, the shorter goes on with windows of nothing. An empty negative prompt is all zeros for models that
 * were taught so (`force_zeros_for_empty_prompt`).
 * @throws UsageError when a text is not of its syntax, two learned words are one, or no layer is left
 */
export async function encodePrompt(
  networks: Networks,
  model: Model,
  { prompt, negativePrompt, guidanceScale, reading = plainReading }: Prompt,
  signal?: AbortSignal,
): Promise<Conditioning> {
  const { guidanceWidth } = model.unet.config;
  const guided = callsPerStep(model, guidanceScale) === 2;
  const zeros = negativePrompt === "" && model.zerosForEmptyPrompt === true;
  const texts = guided && !zeros ? [prompt, negativePrompt] : [prompt];
  const parsed = texts.map((text) => parsePrompt(text, reading.syntax));
  const encoded: EncodedPrompt[][] = [];
  const encoders = windowEncoders(networks, model, reading, signal);
  for (const encoder of encoders) {
    const prompts: EncodedPrompt[] = [];
    for (const one of parsed) prompts.push(await encodeParsed(one, encoder));
    encoded.push(prompts);
  }
  const rows = Math.max(...encoded.flat().map(({ states }) => states.shape[0]!));
  const padded = await Promise.all(encoded.map((prompts, i) => padWindows(prompts, encoders[i]!, rows)));
  const [positive, negative] = parsed.map((_, text) => joined(padded.map((prompts) => prompts[text]!)));
  return {
    conditional: positive!,
    unconditional: guided && zeros ? zerosLike(positive!) : negative,
    guidanceScale,
    guidance: guidanceWidth === undefined ? undefined : embeddedGuidance(guidanceScale, guidanceWidth),
  };
}

/** The model's text encoders, one window at a time. */
function windowEncoders(
  networks: Networks,
  model: Model,
  { clipSkip, learnedWords }: PromptReading,
  signal: AbortSignal | undefined,
): WindowEncoder[] {
  const length = tokenLimit(model);
  const encoders = [{ tokenizer: model.tokenizer, textEncoder: model.textEncoder }];
  if (model.second !== undefined) encoders.push(model.second);
  return encoders.map(({ tokenizer, textEncoder }, i) => {
    const words = encoderWords(learnedWords, i, Math.max(tokenizer.size, textEncoder.config.vocabulary));
    return {
      tokenizer,
      words,
      length,
      encode: (ids, hidden) =>
        networks.encodeText(
          {
            ids: int64([1, length], ids),
            encoder: i === 0 ? "first" : "second",
            skippedLayers: clipSkip - 1,
            learned: words.vectors,
            ...(hidden === undefined ? {} : { hidden: float32([1, length], hidden) }),
          },
          signal,
        ),
    };
  });
}

/** One text from each of the model's encoders: hidden states side by side, and the pooled text of the last. */
function joined([first, second]: readonly EncodedPrompt[]): TextConditioning {
  if (second === undefined) return { context: first!.states };
  const context = sideBySide(first!.states, second.states);
  return { context, ...(second.pooled === undefined ? {} : { pooled: second.pooled }) };
}

/** Rows of two matrices joined: `[n, a]` and `[n, b]` to `[n, a + b]`. */
function sideBySide(a: Tensor<"float32">, b: Tensor<"float32">): Tensor<"float32"> {
  const [rows, left] = a.shape as [number, number];
  const right = b.shape[1]!;
  const data = new Float32Array(rows * (left + right));
  for (let row = 0; row < rows; row++) {
    data.set(a.data.subarray(row * left, (row + 1) * left), row * (left + right));
    data.set(b.data.subarray(row * right, (row + 1) * right), row * (left + right) + left);
  }
  return { type: "float32", shape: [rows, left + right], data };
}

function zerosLike({ context, pooled }: TextConditioning): TextConditioning {
  return { context: filled(context.shape), ...(pooled === undefined ? {} : { pooled: filled(pooled.shape) }) };
}

function embeddedGuidance(guidanceScale: number, width: number): Tensor<"float32"> {
  const data = guidanceEmbedding(paperOmegaFromGuidanceScale(guidanceScale), width);
  return { type: "float32", shape: [1, width], data };
}
