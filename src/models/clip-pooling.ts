import { CheckpointError } from "../errors.ts";
import { gather } from "../graph/ops/structure.ts";
import type { Value } from "../graph/value.ts";
import type { ClipTextConfig } from "./clip.ts";
import type { Layers } from "./layers.ts";

/** Configurations from before transformers 4.31 have this number, which is no end of a text; it calls for the old rule. */
const legacyEndToken = 2;

/**
 * Place of the token whose state sums a text up: that which ends it.
 *
 * As transformers' CLIPTextModel finds it: the first `eos_token_id`, or, where the configuration says 2, the first of the
 * highest token, which in CLIP's vocabulary is the end. Numbers beyond the vocabulary (learned words) do not count.
 * @param ids of one text, padded
 */
export function endPlace({ endToken, vocabulary }: ClipTextConfig, ids: readonly number[]): number {
  if (endToken !== legacyEndToken) return Math.max(0, ids.indexOf(endToken));
  const known = ids.map((id) => (id < vocabulary ? id : -1));
  return known.indexOf(Math.max(...known));
}

/**
 * transformers' CLIPTextModelWithProjection: pooled texts, projected, `[batch, projectionWidth]`.
 * @param lastHiddenState `[batch * tokens, width]`
 * @param ends rows of it, int64 `[batch]`
 * @throws CheckpointError when the model has no projection
 */
export function projectedText(layers: Layers, config: ClipTextConfig, lastHiddenState: Value, ends: Value): Value {
  if (config.projectionWidth === undefined)
    throw new CheckpointError("The text encoder has no text_projection; a CLIPTextModelWithProjection was expected.");
  return layers.linear("text_projection", gather(lastHiddenState, ends), config.projectionWidth, false);
}
