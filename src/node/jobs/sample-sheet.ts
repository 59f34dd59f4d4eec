import { encodePrompt } from "../../generate/conditioning.ts";
import type { Model } from "../../generate/model.ts";
import { createNetworks } from "../../generate/networks.ts";
import { toPixels } from "../../generate/pixels.ts";
import { textToImage } from "../../generate/text-to-image.ts";
import { onnxRuntime } from "../../runtime/onnx-runtime.ts";
import { createSampler, type SamplerName } from "../../samplers/registry.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { SampleConfig } from "../../training/config/common.ts";
import { type CaptionRecord, plainCaption } from "../../training/data/captions.ts";
import { encodePng } from "../picture-files.ts";

/** Prompts of a sheet where the config names none. */
const promptsOfSet = 8;

/** The prompts that a config names, or else the captions of so many pictures from all over the set. */
export function samplePrompts(
  prompts: readonly string[],
  records: readonly CaptionRecord[],
  count: number = promptsOfSet,
): readonly string[] {
  if (prompts.length > 0) return prompts;
  return spread(records, count).map(plainCaption);
}

/** At most `count` items at even distances. */
export function spread<T>(items: readonly T[], count: number): T[] {
  const taken = Math.min(count, items.length);
  return Array.from({ length: taken }, (_, i) => items[Math.floor((i * items.length) / taken)]!);
}

export interface SheetRequest {
  readonly model: Model;
  readonly sampler: SamplerName;
  readonly prompts: readonly string[];
  readonly sample: SampleConfig;
  /** Height and width of each picture in pixels. */
  readonly size: number;
  readonly signal: AbortSignal;
}

/**
 * Draws the prompts, each always from the same noise, as one PNG.
 * @throws DOMException `AbortError` once the signal is aborted
 */
export async function drawSheet({ model, sampler, prompts, sample, size, signal }: SheetRequest): Promise<Uint8Array> {
  const runtime = onnxRuntime();
  const networks = createNetworks(runtime, model);
  try {
    const pictures: Tensor<"float32">[] = [];
    for (const [index, prompt] of prompts.entries()) {
      const { guidanceScale, steps, seed } = sample;
      const conditioning = await encodePrompt(networks, model, { prompt, negativePrompt: "", guidanceScale }, signal);
      const request = {
        conditioning,
        sampler: createSampler(sampler, { config: model.scheduler, steps, strength: 1 }),
        size: { width: size, height: size },
        seed: seed + index,
        count: 1,
      };
      for await (const event of textToImage(networks, model, request, signal)) {
        if (event.kind === "picture") pictures.push(event.pixels);
      }
    }
    return await encodeSheet(pictures, Math.ceil(Math.sqrt(pictures.length)));
  } finally {
    await networks.dispose();
    await runtime.dispose();
  }
}

/**
 * Pictures side by side as a PNG, `columns` in a row.
 * @param pictures each `[3, height, width]`, [-1, 1]; all of one size
 */
export async function encodeSheet(pictures: readonly Tensor<"float32">[], columns: number): Promise<Uint8Array> {
  const parts = pictures.map(toPixels);
  const { width, height } = parts[0]!;
  const rows = Math.ceil(parts.length / columns);
  const stride = columns * width * 3;
  const bytes = new Uint8Array(rows * height * stride).fill(255);
  parts.forEach(({ data }, n) => {
    const corner = Math.floor(n / columns) * height * stride + (n % columns) * width * 3;
    for (let y = 0; y < height; y++) bytes.set(data.subarray(y * width * 3, (y + 1) * width * 3), corner + y * stride);
  });
  return encodePng({ width: columns * width, height: rows * height, data: bytes }, {});
}
