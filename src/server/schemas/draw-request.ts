import { z } from "@hono/zod-openapi";
import { promptSyntaxes } from "../../generate/prompt/syntax.ts";
import { strengthRules } from "../../generate/strength-rule.ts";
import { pictureFits } from "../../node/picture-fit.ts";
import { samplerNamed } from "../../samplers/names.ts";
import { givenImage } from "./given-image.ts";

/** Width and height in pixels. */
export const sizeSchema = z
  .object({ width: z.int().min(1).max(16384), height: z.int().min(1).max(16384) })
  .openapi("Size", { example: { width: 64, height: 64 } });

/** A LoRA of the named folders and how strongly it is applied; weights change from job to job without a compilation. */
export const loraSchema = z
  .object({ name: z.string().min(1).max(255), weight: z.number().min(-10).max(10).default(1) })
  .openapi("Lora", { example: { name: "style-ink", weight: 0.8 } });

/** A sampler's name, its own or another program's. */
export const samplerSchema = z
  .string()
  .max(64)
  .refine((name) => samplerNamed(name) !== undefined, { error: "there is no such sampler; see /api/samplers" });

const longestPrompt = 10_000;

/** What is to be drawn: the one form that every dialect of the API is brought into. What is left out suits the model. */
export const drawRequestSchema = z
  .strictObject({
    prompt: z.string().max(longestPrompt).openapi({ example: "a red apple" }),
    negative: z.string().max(longestPrompt).default(""),
    model: z.string().min(1).max(255).optional().openapi({ description: "a name from /api/models" }),
    loras: z.array(loraSchema).max(32).default([]),
    lcm: z.boolean().optional().openapi({ description: "whether the model's own LCM-LoRA is used" }),
    sampler: samplerSchema.optional(),
    steps: z.int().min(1).max(1000).optional(),
    guidance: z.number().min(0).max(100).optional(),
    seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional().openapi({ description: "of the first picture" }),
    size: sizeSchema.optional(),
    count: z.int().min(1).max(10_000).default(1),
    clipSkip: z.int().min(1).max(64).default(1),
    promptSyntax: z.enum(promptSyntaxes).default("a1111"),
    init: givenImage.optional().openapi({ description: "picture to begin with: base64 or a data URL" }),
    mask: givenImage.optional().openapi({ description: "white where the picture is repainted" }),
    strength: z.number().gt(0).max(1).optional(),
    strengthSteps: z.literal(strengthRules).optional(),
    maskBlur: z.number().min(0).max(1000).optional(),
    fit: z.literal(pictureFits).optional(),
    previews: z.boolean().default(false).openapi({ description: "whether events show the picture at each step" }),
  })
  .openapi("DrawRequest");

export type DrawRequest = z.output<typeof drawRequestSchema>;

/** A drawing whose seed and model are settled, so that drawing it again gives the same pictures. */
export type SettledRequest = DrawRequest & { readonly seed: number; readonly model: string };
