import { z } from "@hono/zod-openapi";
import { givenImage } from "./given-image.ts";

/** Clients send `null` for what they leave out. */
const optional = <T extends z.ZodType>(schema: T) => schema.nullish().transform((value) => value ?? undefined);

const text = z.string().max(10_000);
const side = z.int().min(1).max(16_384);

/** Settings that a request, or `/options`, may change. */
export const optionsSchema = z
  .looseObject({
    sd_model_checkpoint: optional(z.string().max(255)),
    CLIP_stop_at_last_layers: optional(z.int().min(1).max(64)),
    live_previews_enable: optional(z.boolean()),
  })
  .openapi("A1111Options");

/** What `/txt2img` and `/img2img` share. What this server cannot do is refused where it would change the picture. */
const common = {
  prompt: text.nullish().transform((value) => value ?? ""),
  negative_prompt: text.nullish().transform((value) => value ?? ""),
  seed: z
    .number()
    .int()
    .max(Number.MAX_SAFE_INTEGER)
    .nullish()
    .transform((seed) => (seed === null || seed === undefined || seed < 0 ? undefined : seed)),
  sampler_name: optional(z.string().max(64)),
  sampler_index: optional(z.string().max(64)),
  scheduler: optional(z.string().max(64)),
  steps: optional(z.int().min(1).max(1000)),
  cfg_scale: optional(z.number().min(0).max(100)),
  width: optional(side),
  height: optional(side),
  batch_size: optional(z.int().min(1).max(10_000)),
  n_iter: optional(z.int().min(1).max(10_000)),
  override_settings: optional(optionsSchema),
  send_images: optional(z.boolean()),
  enable_hr: optional(z.boolean()),
  restore_faces: optional(z.boolean()),
  tiling: optional(z.boolean()),
  subseed_strength: optional(z.number()),
  script_name: optional(z.string()),
  styles: optional(z.array(z.string())),
  alwayson_scripts: optional(z.record(z.string(), z.unknown())),
};

export const txt2imgSchema = z.looseObject(common).openapi("A1111TextToImage", {
  example: { prompt: "a red apple <lora:style-ink:0.8>", steps: 4, seed: 1 },
});

export const img2imgSchema = z
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

export type TextWishes = z.output<typeof txt2imgSchema>;
export type ImageWishes = z.output<typeof img2imgSchema>;
export type OptionWishes = z.output<typeof optionsSchema>;

export const drawnSchema = z
  .object({
    images: z.array(z.string()).openapi({ description: "PNGs as base64" }),
    parameters: z.record(z.string(), z.unknown()),
    info: z.string().openapi({ description: "JSON" }),
  })
  .openapi("A1111Pictures");

export const progressSchema = z
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

export const pngInfoSchema = z.object({ image: givenImage }).openapi("A1111PngInfo");

/** Settings in the words of A1111's errors; nothing but a sentence is promised. */
export const a1111ErrorSchema = z
  .object({ error: z.string(), detail: z.string(), body: z.string(), errors: z.string() })
  .openapi("A1111Error");
