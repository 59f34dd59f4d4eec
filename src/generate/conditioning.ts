import { guidanceEmbedding, guidanceIsActive, paperOmegaFromGuidanceScale } from "../diffusion/guidance.ts";
import { int64, type Tensor } from "../tensor/tensor.ts";
import type { Model } from "./model.ts";
import type { Networks } from "./networks.ts";

/** What a picture is to show. */
export interface Prompt {
  readonly prompt: string;
  /** What it is not to show; without guidance it has no effect. */
  readonly negativePrompt: string;
  /** Classifier-free guidance, or the embedded guidance of a full latent consistency model; 1 and below is off. */
  readonly guidanceScale: number;
}

/** A prompt as the U-Net takes it. */
export interface Conditioning {
  /** Hidden states of the prompt, `[tokens, width]`. */
  readonly conditional: Tensor<"float32">;
  /** Of the negative prompt, when guidance mixes two predictions. */
  readonly unconditional: Tensor<"float32"> | undefined;
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

/** Encodes a prompt, and the negative prompt where guidance needs it; texts are cut to what the encoder takes. */
export async function encodePrompt(
  networks: Networks,
  model: Model,
  { prompt, negativePrompt, guidanceScale }: Prompt,
  signal?: AbortSignal,
): Promise<Conditioning> {
  const length = tokenLimit(model);
  const [positive, negative] = [prompt, negativePrompt].map((text) => model.tokenizer.encodePadded(text, length));
  const states = (ids: readonly number[]): Promise<Tensor<"float32">> =>
    networks.encodeText(int64([1, length], ids), signal);
  const { guidanceWidth } = model.unet.config;
  const guided = callsPerStep(model, guidanceScale) === 2;
  return {
    conditional: await states(positive!.ids),
    unconditional: guided ? await states(negative!.ids) : undefined,
    guidanceScale,
    guidance: guidanceWidth === undefined ? undefined : embeddedGuidance(guidanceScale, guidanceWidth),
    dropped: { prompt: positive!.dropped, negativePrompt: guided ? negative!.dropped : "" },
  };
}

function embeddedGuidance(guidanceScale: number, width: number): Tensor<"float32"> {
  const data = guidanceEmbedding(paperOmegaFromGuidanceScale(guidanceScale), width);
  return { type: "float32", shape: [1, width], data };
}
