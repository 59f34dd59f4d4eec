import { guidanceEmbedding, guidanceIsActive, paperOmegaFromGuidanceScale } from "../diffusion/guidance.ts";
import { filled, int64, type Tensor } from "../tensor/tensor.ts";
import type { Model } from "./model.ts";
import type { Networks, UNetRequest } from "./networks.ts";

/** What a picture is to show. */
export interface Prompt {
  readonly prompt: string;
  /** What it is not to show; without guidance it has no effect. */
  readonly negativePrompt: string;
  /** Classifier-free guidance, or the embedded guidance of a full latent consistency model; 1 and below is off. */
  readonly guidanceScale: number;
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
  /** What of each text did not fit into the text encoder; empty when all did. */
  readonly dropped: { readonly prompt: string; readonly negativePrompt: string };
}

/** Tokens that the text encoder takes: as many as it has places for, unless the tokenizer says fewer. */
export function tokenLimit({ tokenizer, textEncoder }: Pick<Model, "tokenizer" | "textEncoder">): number {
  return Math.min(tokenizer.maxLength, textEncoder.config.positions);
}

/** Network calls that one step takes. */
export function callsPerStep(model: Model, guidanceScale: number): 1 | 2 {
  return model.unet.config.guidanceWidth === undefined && guidanceIsActive(guidanceScale) ? 2 : 1;
}

/**
 * Encodes a prompt, and the negative prompt where guidance needs it; texts are cut to what the encoder takes.
 *
 * An empty negative prompt is all zeros for models that were taught so (`force_zeros_for_empty_prompt`).
 */
export async function encodePrompt(
  networks: Networks,
  model: Model,
  { prompt, negativePrompt, guidanceScale }: Prompt,
  signal?: AbortSignal,
): Promise<Conditioning> {
  const { guidanceWidth } = model.unet.config;
  const guided = callsPerStep(model, guidanceScale) === 2;
  const positive = await encodeOne(networks, model, prompt, signal);
  const zeros = negativePrompt === "" && model.zerosForEmptyPrompt === true;
  const negative = !guided
    ? undefined
    : zeros
      ? { text: zerosLike(positive.text), dropped: "" }
      : await encodeOne(networks, model, negativePrompt, signal);
  return {
    conditional: positive.text,
    unconditional: negative?.text,
    guidanceScale,
    guidance: guidanceWidth === undefined ? undefined : embeddedGuidance(guidanceScale, guidanceWidth),
    dropped: { prompt: positive.dropped, negativePrompt: negative?.dropped ?? "" },
  };
}

interface OneText {
  readonly text: TextConditioning;
  readonly dropped: string;
}

/** A text through each of the model's encoders, their hidden states side by side. */
async function encodeOne(networks: Networks, model: Model, text: string, signal?: AbortSignal): Promise<OneText> {
  const length = tokenLimit(model);
  const { ids, dropped } = model.tokenizer.encodePadded(text, length);
  const first = await networks.encodeText({ ids: int64([1, length], ids) }, signal);
  if (model.second === undefined) return { text: { context: first.states }, dropped };
  const secondIds = model.second.tokenizer.encodePadded(text, length).ids;
  const second = await networks.encodeText({ ids: int64([1, length], secondIds), encoder: "second" }, signal);
  const context = sideBySide(first.states, second.states);
  return { text: { context, ...(second.pooled === undefined ? {} : { pooled: second.pooled }) }, dropped };
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
