import type { JsonObject } from "../../../formats/json.ts";

/** What the keys of a part begin with in a file of the original names, and whose names follow. */
export interface OriginalPlace {
  readonly prefix: string;
  readonly names: "transformers" | "openclip";
}

/** A text encoder of a family. */
export interface FamilyTextEncoder {
  /** `text_encoder/config.json` as transformers writes it. */
  readonly config: JsonObject;
  /** Where its weights are in files of the original names; the first that occurs counts. */
  readonly original: readonly [OriginalPlace, ...OriginalPlace[]];
  /** What fills texts up to the encoder's length; the tokenizer's own choice unless told. */
  readonly padToken?: string;
}

/**
 * A published kind of Stable Diffusion, with the configurations that diffusers writes for it. Of a single file, which holds
 * none, the family is told by the shapes of its U-Net; then these are what its other settings are taken from.
 */
export interface ModelFamily {
  readonly name: string;
  /** Class of the pipeline in diffusers. */
  readonly pipeline: string;
  /** `unet/config.json`. */
  readonly unet: JsonObject;
  /** `vae/config.json`. */
  readonly autoencoder: JsonObject;
  /** One, or the two of SDXL. */
  readonly textEncoders: readonly [FamilyTextEncoder, ...FamilyTextEncoder[]];
  /** `scheduler/scheduler_config.json`. */
  readonly scheduler: JsonObject;
  /** Whether an empty negative prompt is all zeros: `force_zeros_for_empty_prompt`. */
  readonly zerosForEmptyPrompt: boolean;
  /**
   * How the U-Net's kind of prediction shows in a single file, which does not state it: `fixed` is what `scheduler` says,
   * `by-bias` the spread of a bias that training with v-prediction widened.
   */
  readonly prediction: "fixed" | "by-bias";
}
