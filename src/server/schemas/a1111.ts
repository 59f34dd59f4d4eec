import { z } from "@hono/zod-openapi";
import { givenImage } from "./given-image.ts";

/** Settings that a request, or `/options`, may change. */
export interface OptionWishes {
  readonly sd_model_checkpoint?: string | undefined;
  readonly CLIP_stop_at_last_layers?: number | undefined;
  readonly live_previews_enable?: boolean | undefined;
  readonly [other: string]: unknown;
}

/** What `/txt2img` and `/img2img` share. What this server cannot do is refused where it would change the picture. */
export interface TextWishes {
  readonly prompt: string;
  readonly negative_prompt: string;
  /** Undefined for a random one. */
  readonly seed: number | undefined;
  readonly sampler_name?: string | undefined;
  readonly sampler_index?: string | undefined;
  readonly scheduler?: string | undefined;
  readonly steps?: number | undefined;
  readonly cfg_scale?: number | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly batch_size?: number | undefined;
  readonly n_iter?: number | undefined;
  readonly override_settings?: OptionWishes | undefined;
  readonly send_images?: boolean | undefined;
  readonly enable_hr?: boolean | undefined;
  readonly restore_faces?: boolean | undefined;
  readonly tiling?: boolean | undefined;
  readonly subseed_strength?: number | undefined;
  readonly script_name?: string | undefined;
  readonly styles?: readonly string[] | undefined;
  readonly alwayson_scripts?: Readonly<Record<string, unknown>> | undefined;
  readonly [other: string]: unknown;
}

export interface ImageWishes extends TextWishes {
  readonly init_images: readonly string[];
  readonly denoising_strength?: number | undefined;
  readonly resize_mode?: number | undefined;
  readonly mask?: string | undefined;
  readonly mask_blur?: number | undefined;
  readonly inpainting_mask_invert?: boolean | undefined;
}

export interface DrawnPictures {
  /** PNGs as base64. */
  readonly images: readonly string[];
  readonly parameters: Readonly<Record<string, unknown>>;
  /** JSON. */
  readonly info: string;
}

export interface ShownProgress {
  readonly progress: number;
  readonly eta_relative: number;
  readonly state: {
    readonly skipped: boolean;
    readonly interrupted: boolean;
    readonly stopping_generation: boolean;
    readonly job: string;
    readonly job_count: number;
    readonly job_timestamp: string;
    readonly job_no: number;
    readonly sampling_step: number;
    readonly sampling_steps: number;
  };
  readonly current_image: string | null;
  readonly textinfo: string | null;
}

/** A problem in the form of A1111's own errors; `detail` is where clients look. */
export interface A1111Error {
  readonly error: string;
  readonly detail: string;
  readonly body: string;
  readonly errors: string;
}

/** Clients send `null` for what they leave out. */
const optional = <T>(schema: z.ZodType<T>): z.ZodOptional<z.ZodType<T | undefined>> =>
  schema
    .nullable()
    .transform((value) => value ?? undefined)
    .optional();

const prompt = z
  .string()
  .max(10_000)
  .nullish()
  .transform((value) => value ?? "");
const side = optional(z.int().min(1).max(16_384));
const flag = optional(z.boolean());

export const optionsSchema: z.ZodType<OptionWishes> = z
  .looseObject({
    sd_model_checkpoint: optional(z.string().max(255)),
    CLIP_stop_at_last_layers: optional(z.int().min(1).max(64)),
    live_previews_enable: flag,
  })
  .openapi("A1111Options");

const common = {
  prompt,
  negative_prompt: prompt,
  seed: z
    .int()
    .nullish()
    .transform((seed) => (seed === null || seed === undefined || seed < 0 ? undefined : seed)),
  sampler_name: optional(z.string().max(64)),
  sampler_index: optional(z.string().max(64)),
  scheduler: optional(z.string().max(64)),
  steps: optional(z.int().min(1).max(1000)),
  cfg_scale: optional(z.number().min(0).max(100)),
  width: side,
  height: side,
  batch_size: optional(z.int().min(1).max(10_000)),
  n_iter: optional(z.int().min(1).max(10_000)),
  override_settings: optional(optionsSchema),
  send_images: flag,
  enable_hr: flag,
  restore_faces: flag,
  tiling: flag,
  subseed_strength: optional(z.number()),
  script_name: optional(z.string()),
  styles: optional(z.array(z.string())),
  alwayson_scripts: optional(z.record(z.string(), z.unknown())),
};

const example = { prompt: "a red apple <lora:style-ink:0.8>", steps: 4, seed: 1 };

export const txt2imgSchema: z.ZodType<TextWishes> = z.looseObject(common).openapi("A1111TextToImage", { example });

export const img2imgSchema: z.ZodType<ImageWishes> = z
  .looseObject({
    ...common,
    init_images: z.array(givenImage).min(1).max(1),
    denoising_strength: optional(z.number().gt(0).max(1)),
    resize_mode: optional(z.int().min(0).max(3)),
    mask: optional(givenImage),
    mask_blur: optional(z.number().min(0).max(1000)),
    inpainting_mask_invert: optional(z.union([z.int(), z.boolean()]).transform(Boolean)),
  })
  .openapi("A1111ImageToImage");

export const drawnSchema: z.ZodType<DrawnPictures> = z
  .object({ images: z.array(z.string()), parameters: z.record(z.string(), z.unknown()), info: z.string() })
  .openapi("A1111Pictures");

export const progressSchema: z.ZodType<ShownProgress> = z
  .object({
    progress: z.number(),
    eta_relative: z.number(),
    state: z.object({
      skipped: z.boolean(),
      interrupted: z.boolean(),
      stopping_generation: z.boolean(),
      job: z.string(),
      job_count: z.int(),
      job_timestamp: z.string(),
      job_no: z.int(),
      sampling_step: z.int(),
      sampling_steps: z.int(),
    }),
    current_image: z.string().nullable(),
    textinfo: z.string().nullable(),
  })
  .openapi("A1111Progress");

export const pngInfoSchema: z.ZodType<{ readonly image: string }> = z
  .object({ image: givenImage })
  .openapi("A1111PngInfo");

export const a1111ErrorSchema: z.ZodType<A1111Error> = z
  .object({ error: z.string(), detail: z.string(), body: z.string(), errors: z.string() })
  .openapi("A1111Error");
