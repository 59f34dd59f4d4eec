import { z } from "zod";
import { CheckpointError, UsageError } from "../errors.ts";
import { encodePrepared } from "../graph/prepare.ts";
import { input } from "../graph/value.ts";
import { type ClipTextConfig, clipTextConfig, clipTextModel } from "../models/clip.ts";
import { endPlace, projectedText } from "../models/clip-pooling.ts";
import { type ClipVisionConfig, clipVisionConfig, clipVisionModel } from "../models/clip-vision.ts";
import { parseConfig } from "../models/config.ts";
import { layers } from "../models/layers.ts";
import type { ClipTokenizer } from "../models/tokenizer/clip-tokenizer.ts";
import type { RunOptions, Runtime, Session } from "../runtime/runtime.ts";
import { float32, int64, type Tensor } from "../tensor/tensor.ts";
import { type BootstrapOptions, bootstrapMean, type Estimate } from "./bootstrap.ts";
import { compileFeatureNetwork } from "./feature-network.ts";
import type { FeatureNetwork, Features } from "./features.ts";
import { centreOf, pictureBytes, resizePlanes } from "./resize.ts";
import { type MeasureWeights, measureParameters } from "./weights.ts";

/** Mean and deviation of CLIP's pictures, by channel, on [0, 1]. */
const clipMean = [0.48145466, 0.4578275, 0.40821073];
const clipDeviation = [0.26862954, 0.26130258, 0.27577711];

const schema = z.object({
  text_config: z.looseObject({}),
  vision_config: z.looseObject({}),
  projection_dim: z.number().int().positive().default(512),
});

/** Configurations of both towers. */
export interface ClipConfig {
  readonly text: ClipTextConfig;
  readonly vision: ClipVisionConfig;
}

/** Reads `config.json` of transformers' CLIPModel. @throws CheckpointError naming the key and what is understood */
export function clipConfig(json: unknown, file = "config.json"): ClipConfig {
  const { text_config, vision_config, projection_dim } = parseConfig(file, schema, json);
  const projected = { projection_dim, architectures: ["CLIPTextModelWithProjection"] };
  return {
    text: clipTextConfig({ ...text_config, ...projected }),
    vision: clipVisionConfig({ ...vision_config, projection_dim }, file),
  };
}

/** A CLIP with both towers, as files have it. */
export interface ClipFiles {
  /** What results call it, e.g. `openai/clip-vit-base-patch32`. */
  readonly name: string;
  readonly config: ClipConfig;
  readonly weights: MeasureWeights;
  readonly tokenizer: ClipTokenizer;
}

/** Both towers, ready to run. They own memory outside the collector's sight until they are disposed. */
export interface Clip {
  readonly name: string;
  /** The vision tower: its features `[pictures, projection]` are not normalised. They serve a Frechet distance as well. */
  readonly pictures: FeatureNetwork;
  /** Vectors of texts `[texts, projection]`, not normalised; what is beyond the encoder's length is dropped. */
  texts(texts: readonly string[], options?: RunOptions): Promise<Tensor<"float32">>;
  dispose(): Promise<void>;
}

/**
 * A picture as CLIP takes it: the shorter side brought to its size (Pillow's bicubic on bytes), the middle cut out,
 * normalised.
 * @param picture `[3, height, width]` in [-1, 1]
 */
export function clipPixels(picture: Tensor<"float32">, size: number): Tensor<"float32"> {
  const [, height, width] = picture.shape as [number, number, number];
  const short = Math.min(height, width);
  const scaled = (extent: number): number => (extent === short ? size : Math.floor((size * extent) / short));
  const resized = resizePlanes(pictureBytes(picture), scaled(height), scaled(width), "pillow-bytes");
  const area = size * size;
  const cut = centreOf(resized, size, size);
  const data = cut.data.map((x, i) => {
    const plane = Math.floor(i / area);
    return (x / 255 - clipMean[plane]!) / clipDeviation[plane]!;
  });
  return float32(cut.shape, data);
}

/**
 * Compiles both towers of a CLIP.
 * @throws CheckpointError when a tower's weights are missing
 */
export async function openClip(runtime: Runtime, files: ClipFiles, batch = 8): Promise<Clip> {
  const { name, config, weights, tokenizer } = files;
  for (const part of ["text_projection.weight", "visual_projection.weight"]) {
    if (weights.tensors.has(part)) continue;
    throw new CheckpointError(
      `${weights.file}: "${part}" is missing; a CLIP score needs a CLIP with both towers (a CLIPModel), not a text encoder alone.`,
    );
  }
  const { source } = measureParameters(weights);
  const { size, projectionWidth } = config.vision;
  const pictures = await compileFeatureNetwork(
    runtime,
    {
      identity: { network: `${name} ${projectionWidth}`, resizing: "clip", fingerprint: weights.fingerprint },
      width: size,
      height: size,
      featureWidth: projectionWidth,
      prepare: (picture) => clipPixels(picture, size),
      build: (values) => ({ features: clipVisionModel(layers(source), config.vision, values) }),
    },
    batch,
  );
  let session: Session | undefined;
  const length = Math.min(tokenizer.maxLength, config.text.positions);
  const compiled = async (): Promise<Session> => {
    if (session !== undefined) return session;
    const [ids, ends] = [input("ids", [1, length], "int64"), input("ends", [1], "int64")];
    const { lastHiddenState } = clipTextModel(layers(source), config.text, ids);
    const vector = projectedText(layers(source), config.text, lastHiddenState, ends);
    session = await runtime.compile(encodePrepared({ vector }, true), { layouts: true });
    return session;
  };
  return {
    name,
    pictures,
    async texts(texts, options = {}) {
      const network = await compiled();
      const out = new Float32Array(texts.length * projectionWidth);
      for (const [i, text] of texts.entries()) {
        const { ids } = tokenizer.encodePadded(text, length);
        const inputs = { ids: int64([1, length], ids), ends: int64([1], [endPlace(config.text, ids)]) };
        const { vector } = (await network.run(inputs, options)) as { vector: Tensor<"float32"> };
        out.set(vector.data, i * projectionWidth);
      }
      return float32([texts.length, projectionWidth], out);
    },
    async dispose() {
      await pictures.dispose();
      await session?.dispose();
    },
  };
}

export interface ClipScore {
  /** Mean of 100 max(cos, 0), over pictures. */
  readonly score: Estimate;
  readonly each: Float64Array;
  readonly network: string;
  readonly count: number;
}

/**
 * CLIP score (Hessel et al., arXiv:2104.08718, in torchmetrics' scale): 100 max(cos(picture, caption), 0), meant over pairs.
 * @param pictures features of `clip.pictures`, one for each caption
 * @throws UsageError when a caption is empty, or there are not as many of one as of the other
 */
export async function clipScore(
  clip: Clip,
  pictures: Features,
  captions: readonly string[],
  options: RunOptions & { readonly interval?: Partial<BootstrapOptions> } = {},
): Promise<ClipScore> {
  expectCaptions(captions, pictures.rows.shape[0]!);
  const { interval, ...run } = options;
  const texts = await clip.texts(captions, run);
  const each = cosines(pictures.rows, texts).map((x) => 100 * Math.max(0, x));
  return { score: await bootstrapMean(each, interval), each, network: clip.name, count: captions.length };
}

/** @throws UsageError when a caption is empty, or there are not as many as pictures */
export function expectCaptions(captions: readonly string[], pictures: number): void {
  if (captions.length !== pictures)
    throw new UsageError(`There are ${pictures} pictures and ${captions.length} captions; each picture needs one.`);
  const empty = captions.findIndex((caption) => caption.trim() === "");
  if (empty >= 0)
    throw new UsageError(`Caption ${empty + 1} of ${captions.length} is empty; a picture is measured against words.`);
}

/** Cosines of the angles between rows of equal place. */
function cosines(a: Tensor<"float32">, b: Tensor<"float32">): Float64Array {
  const [count, width] = a.shape as [number, number];
  return Float64Array.from({ length: count }, (_, i) => {
    let [dot, first, second] = [0, 0, 0];
    for (let k = i * width; k < (i + 1) * width; k++) {
      dot += a.data[k]! * b.data[k]!;
      first += a.data[k]! ** 2;
      second += b.data[k]! ** 2;
    }
    return dot / Math.sqrt(first * second);
  });
}
