import { encodePrompt } from "../generate/conditioning.ts";
import type { Model } from "../generate/model.ts";
import type { Networks } from "../generate/networks.ts";
import { float32 } from "../tensor/tensor.ts";
import type { Conditions } from "./conditional-frechet.ts";
import { meanOfRows } from "./frechet.ts";

/** Captions as rows of numbers for a conditional distance: means over tokens of the model's own text encoder's states. */
export async function captionConditions(
  networks: Networks,
  model: Model,
  captions: readonly string[],
  signal?: AbortSignal,
): Promise<Conditions> {
  const rows: Float64Array[] = [];
  for (const prompt of captions) {
    const text = { prompt, negativePrompt: "", guidanceScale: 1 };
    rows.push(meanOfRows((await encodePrompt(networks, model, text, signal)).conditional.context));
  }
  const width = rows[0]?.length ?? 0;
  const data = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    data.set(row, i * width);
  });
  return { name: `${model.name}'s text encoder`, rows: float32([rows.length, width], data) };
}
