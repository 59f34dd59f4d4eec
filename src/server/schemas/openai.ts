import { z } from "@hono/zod-openapi";
import { loraSchema, samplerSchema } from "./draw-request.ts";

/** `WIDTHxHEIGHT`, or `auto` for the model's own. */
const size = z.string().regex(/^(auto|[1-9]\d{0,4}x[1-9]\d{0,4})$/, "it must be WIDTHxHEIGHT in pixels, or auto");

/** A multipart form carries numbers as text. */
const whole = z.coerce.number().int();

/** What both routes take. Beyond OpenAI's, a client may say what this server knows (`extra_body` in its libraries). */
const common = {
  prompt: z.string().min(1).max(10_000),
  model: z.string().min(1).max(255).optional(),
  n: whole.min(1).max(10_000).default(1),
  size: size.optional(),
  response_format: z.enum(["url", "b64_json"]).default("url"),
  output_format: z.enum(["png", "jpeg", "webp"]).default("png"),
  output_compression: whole.min(0).max(100).default(100),
  seed: whole.min(0).max(Number.MAX_SAFE_INTEGER).optional(),
  steps: whole.min(1).max(1000).optional(),
  guidance: z.coerce.number().min(0).max(100).optional(),
  negative_prompt: z.string().max(10_000).optional(),
  sampler: samplerSchema.optional(),
};

/** What OpenAI's models know and this server's do not; taken, and without effect. */
const withoutEffect = {
  background: z.string().nullish(),
  moderation: z.string().nullish(),
  quality: z.string().nullish(),
  style: z.string().nullish(),
  user: z.string().nullish(),
};

export const generationSchema = z
  .object({ ...common, loras: z.array(loraSchema).max(32).default([]), ...withoutEffect })
  .openapi("ImageGeneration", { example: { prompt: "a red apple", n: 1, size: "64x64", response_format: "b64_json" } });

const file = z.file().openapi({ type: "string", format: "binary" });

export const editSchema = z
  .object({
    ...common,
    image: file.optional(),
    "image[]": z.union([file, z.array(file)]).optional(),
    mask: file
      .optional()
      .openapi({ description: "repainted where it is transparent", type: "string", format: "binary" }),
    strength: z.coerce.number().gt(0).max(1).optional(),
    ...withoutEffect,
    input_fidelity: z.string().nullish(),
  })
  .openapi("ImageEdit");

export type ImageWishes = Pick<z.output<typeof editSchema>, keyof typeof common>;

export const imagesSchema = z
  .object({
    created: z.int(),
    data: z.array(z.object({ url: z.string().optional(), b64_json: z.string().optional() })),
    output_format: z.string(),
    size: z.string(),
  })
  .openapi("Images");

export const modelSchema = z
  .object({ id: z.string(), object: z.literal("model"), created: z.int(), owned_by: z.string() })
  .openapi("Model");

export const modelNameSchema = z.object({ model: z.string() });

export const modelsSchema = z.object({ object: z.literal("list"), data: z.array(modelSchema) }).openapi("Models");

export const openAIErrorSchema = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable(),
    }),
  })
  .openapi("OpenAIError");
