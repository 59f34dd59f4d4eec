import { z } from "@hono/zod-openapi";
import { type LoraWish, loraSchema, samplerSchema } from "./draw-request.ts";

/** What both routes take. Beyond OpenAI's, a client may say what this server knows (`extra_body` in its libraries). */
export interface OpenAIWishes {
  readonly prompt: string;
  readonly model?: string | undefined;
  readonly n: number;
  /** `WIDTHxHEIGHT`, or `auto` for the model's own. */
  readonly size?: string | undefined;
  readonly response_format: "url" | "b64_json";
  readonly output_format: "png" | "jpeg" | "webp";
  readonly output_compression: number;
  readonly seed?: number | undefined;
  readonly steps?: number | undefined;
  readonly guidance?: number | undefined;
  readonly negative_prompt?: string | undefined;
  readonly sampler?: string | undefined;
}

export interface Generation extends OpenAIWishes {
  readonly loras: readonly LoraWish[];
}

export interface Edit extends OpenAIWishes {
  readonly image?: Blob | undefined;
  readonly "image[]"?: Blob | readonly Blob[] | undefined;
  readonly mask?: Blob | undefined;
  readonly strength?: number | undefined;
}

export interface OpenAIImages {
  /** Seconds since 1970. */
  readonly created: number;
  readonly data: readonly { readonly url?: string | undefined; readonly b64_json?: string | undefined }[];
  readonly output_format: string;
  readonly size: string;
}

export interface OpenAIModel {
  readonly id: string;
  readonly object: "model";
  readonly created: number;
  readonly owned_by: string;
}

export interface OpenAIError {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

/** A multipart form carries numbers as text. */
const whole = z.coerce.number().int();

const common = {
  prompt: z.string().min(1).max(10_000),
  model: z.string().min(1).max(255).optional(),
  n: whole.min(1).max(10_000).default(1),
  size: z
    .string()
    .regex(/^(auto|[1-9]\d{0,4}x[1-9]\d{0,4})$/, "it must be WIDTHxHEIGHT in pixels, or auto")
    .optional(),
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
const withoutEffect = Object.fromEntries(
  ["background", "moderation", "quality", "style", "user"].map((name) => [name, z.string().nullish()]),
);

const example = { prompt: "a red apple", n: 1, size: "64x64", response_format: "b64_json" } as const;

export const generationSchema: z.ZodType<Generation> = z
  .object({ ...withoutEffect, ...common, loras: z.array(loraSchema).max(32).default([]) })
  .openapi("ImageGeneration", { example });

const binary = { type: "string", format: "binary" } as const;
const file = z.file().openapi(binary);

export const editSchema: z.ZodType<Edit> = z
  .object({
    ...withoutEffect,
    ...common,
    image: file.optional(),
    "image[]": z.union([file, z.array(file)]).optional(),
    mask: file.optional().openapi({ ...binary, description: "repainted where it is transparent" }),
    strength: z.coerce.number().gt(0).max(1).optional(),
    input_fidelity: z.string().nullish(),
  })
  .openapi("ImageEdit");

export const imagesSchema: z.ZodType<OpenAIImages> = z
  .object({
    created: z.int(),
    data: z.array(z.object({ url: z.string().optional(), b64_json: z.string().optional() })),
    output_format: z.string(),
    size: z.string(),
  })
  .openapi("Images");

export const modelSchema: z.ZodType<OpenAIModel> = z
  .object({ id: z.string(), object: z.literal("model"), created: z.int(), owned_by: z.string() })
  .openapi("Model");

export const openAIErrorSchema: z.ZodType<OpenAIError> = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable(),
    }),
  })
  .openapi("OpenAIError");
