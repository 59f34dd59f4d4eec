import { z } from "@hono/zod-openapi";
import { type PromptSyntax, promptSyntaxes } from "../../generate/prompt/syntax.ts";
import type { Size } from "../../generate/size.ts";
import { type StrengthRule, strengthRules } from "../../generate/strength-rule.ts";
import { type PictureFit, pictureFits } from "../../node/picture-fit.ts";
import { samplerNamed } from "../../samplers/names.ts";
import { givenImage } from "./given-image.ts";

/** A LoRA of the named folders and how strongly it is applied; weights change from job to job without a compilation. */
export interface LoraWish {
  readonly name: string;
  readonly weight: number;
}

/** What is to be drawn: the one form that every dialect of the API is brought into. What is left out suits the model. */
export interface DrawRequest {
  readonly prompt: string;
  readonly negative: string;
  readonly model?: string | undefined;
  readonly loras: readonly LoraWish[];
  readonly lcm?: boolean | undefined;
  readonly sampler?: string | undefined;
  readonly steps?: number | undefined;
  readonly guidance?: number | undefined;
  readonly seed?: number | undefined;
  readonly size?: Size | undefined;
  readonly count: number;
  readonly clipSkip: number;
  readonly promptSyntax: PromptSyntax;
  /** Base64. */
  readonly init?: string | undefined;
  /** Base64. */
  readonly mask?: string | undefined;
  readonly strength?: number | undefined;
  readonly strengthSteps?: StrengthRule | undefined;
  readonly maskBlur?: number | undefined;
  readonly fit?: PictureFit | undefined;
  readonly previews: boolean;
}

/** A drawing whose seed and model are settled, so that drawing it again gives the same pictures. */
export type SettledRequest = DrawRequest & { readonly seed: number; readonly model: string };

/** What is sent to hand in a job. Higher priority comes first; jobs of one priority in the order in which they came. */
export interface JobRequest extends DrawRequest {
  readonly priority: number;
}

export type ShownRequest = Omit<DrawRequest, "init" | "mask">;

const longestPrompt = 10_000;
const side = z.int().min(1).max(16_384);

export const loraSchema: z.ZodType<LoraWish> = z
  .object({ name: z.string().min(1).max(255), weight: z.number().min(-10).max(10).default(1) })
  .openapi("Lora", { example: { name: "style-ink", weight: 0.8 } });

/** A sampler's name, its own or another program's. */
export const samplerSchema: z.ZodType<string> = z
  .string()
  .max(64)
  .refine((name) => samplerNamed(name) !== undefined, { error: "there is no such sampler; see /api/samplers" });

const drawRequest = z.strictObject({
  prompt: z.string().max(longestPrompt).openapi({ example: "a red apple" }),
  negative: z.string().max(longestPrompt).default(""),
  model: z.string().min(1).max(255).optional().openapi({ description: "a name from /api/models" }),
  loras: z.array(loraSchema).max(32).default([]),
  lcm: z.boolean().optional().openapi({ description: "whether the model's own LCM-LoRA is used" }),
  sampler: samplerSchema.optional(),
  steps: z.int().min(1).max(1000).optional(),
  guidance: z.number().min(0).max(100).optional(),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional().openapi({ description: "of the first picture" }),
  size: z.object({ width: side, height: side }).optional(),
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
});

export const drawRequestSchema: z.ZodType<DrawRequest> = drawRequest.openapi("DrawRequest");

export const jobRequestSchema: z.ZodType<JobRequest> = drawRequest
  .extend({ priority: z.int().min(-100).max(100).default(0) })
  .openapi("JobRequest");

/** As jobs are shown: without the pictures that they were given. */
export const shownRequestSchema: z.ZodType<ShownRequest> = drawRequest
  .omit({ init: true, mask: true })
  .openapi("ShownRequest");
