import { createRoute, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import sharp from "sharp";
import { drawNow, picturesOf } from "../draw-now.ts";
import { pictureAddress } from "../http/picture-address.ts";
import { type RequestVariables, type Router, router } from "../http/router.ts";
import type { Job } from "../jobs/job.ts";
import { Problem } from "../problem.ts";
import { type DrawRequest, drawRequestSchema } from "../schemas/draw-request.ts";
import {
  editSchema,
  generationSchema,
  imagesSchema,
  modelSchema,
  type OpenAIImages,
  type OpenAIModel,
  type OpenAIWishes,
  openAIErrorSchema,
} from "../schemas/openai.ts";
import type { ServerParts } from "../server-parts.ts";
import { editedPicture } from "./edit-pictures.ts";

const json = <T extends z.ZodType>(schema: T) => ({ "application/json": { schema } });
const refusals = { default: { description: "what is wrong", content: json(openAIErrorSchema) } };
const images = { 200: { description: "the pictures", content: json(imagesSchema) }, ...refusals };
const tags = ["OpenAI"];

const modelsSchema = z.object({ object: z.literal("list"), data: z.array(modelSchema) }).openapi("Models");
const modelNameSchema = z.object({ model: z.string().max(255) });

const generate = createRoute({
  method: "post",
  path: "/images/generations",
  tags,
  request: { body: { required: true, content: json(generationSchema) } },
  responses: images,
});
const edit = createRoute({
  method: "post",
  path: "/images/edits",
  tags,
  request: { body: { required: true, content: { "multipart/form-data": { schema: editSchema } } } },
  responses: images,
});
const models = createRoute({
  method: "get",
  path: "/models",
  tags,
  responses: { 200: { description: "the models", content: json(modelsSchema) }, ...refusals },
});
const model = createRoute({
  method: "get",
  path: "/models/{model}",
  tags,
  request: { params: modelNameSchema },
  responses: { 200: { description: "the model", content: json(modelSchema) }, ...refusals },
});

/** `/v1` as OpenAI's clients call it. */
export function openAIRoutes(parts: ServerParts): Router {
  return router()
    .openapi(generate, async (c) => {
      const wishes = c.req.valid("json");
      const request = drawRequestOf(wishes, { loras: wishes.loras });
      return c.json(await draw(c, parts, request, wishes), 200);
    })
    .openapi(edit, async (c) => {
      const wishes = c.req.valid("form");
      const listed = wishes["image[]"];
      const image = wishes.image ?? (Array.isArray(listed) ? listed[0] : listed);
      if (image === undefined) throw new Problem("invalid", "The image is missing.", { field: "image" });
      if (Array.isArray(listed) && listed.length > 1) {
        throw new Problem("invalid", "One image is edited at a time; send one.", { field: "image" });
      }
      const { strength } = wishes;
      const picture = await editedPicture(image, wishes.mask);
      const request = drawRequestOf(wishes, { ...picture, ...(strength === undefined ? {} : { strength }) });
      return c.json(await draw(c, parts, request, wishes), 200);
    })
    .openapi(models, async (c) => {
      const data = (await parts.catalog.models()).map(shown);
      return c.json({ object: "list" as const, data }, 200);
    })
    .openapi(model, async (c) => {
      const name = c.req.valid("param").model;
      const found = await parts.catalog.find(name);
      if (found === undefined) throw new Problem("not_found", `There is no model "${name}" here.`, { field: "model" });
      return c.json(shown(found), 200);
    }) as Router;
}

const shown = ({ name, changed }: { readonly name: string; readonly changed: number }): OpenAIModel => ({
  id: name,
  object: "model",
  created: Math.floor(changed / 1000),
  owned_by: "fourstep",
});

function drawRequestOf(wishes: OpenAIWishes, more: Partial<DrawRequest>): DrawRequest {
  const { prompt, model: name, n: count, size, seed, steps, guidance, negative_prompt: negative, sampler } = wishes;
  const [width, height] = size === undefined || size === "auto" ? [] : size.split("x").map(Number);
  const told = Object.entries({ model: name, seed, steps, guidance, negative, sampler, ...more });
  return drawRequestSchema.parse({
    prompt,
    count,
    ...Object.fromEntries(told.filter(([, value]) => value !== undefined)),
    ...(width === undefined ? {} : { size: { width, height } }),
  });
}

async function draw(
  c: Context<RequestVariables>,
  parts: ServerParts,
  request: DrawRequest,
  wishes: OpenAIWishes,
): Promise<OpenAIImages> {
  const job = await drawNow(parts, request, c.req.raw.signal);
  c.header("x-job-id", job.id);
  const pngs = await picturesOf(parts, job);
  const { width = 0, height = 0 } = await sharp(pngs[0]).metadata();
  return {
    created: Math.floor(job.created / 1000),
    data: wishes.response_format === "url" ? addresses(c, job) : await encoded(pngs, wishes),
    output_format: wishes.response_format === "url" ? "png" : wishes.output_format,
    size: `${width}x${height}`,
  };
}

const addresses = (c: Context<RequestVariables>, job: Job): { readonly url: string }[] =>
  job.pictures.map((picture) => ({ url: pictureAddress(c, job, picture) }));

/** Pictures as base64. A PNG stays as it is, with its settings. */
function encoded(
  pngs: readonly Uint8Array[],
  { output_format: format, output_compression: quality }: OpenAIWishes,
): Promise<{ readonly b64_json: string }[]> {
  return Promise.all(
    pngs.map(async (png) => {
      const bytes =
        format === "png"
          ? Buffer.from(png)
          : await sharp(png)
              [format]({ quality: quality || 1 })
              .toBuffer();
      return { b64_json: bytes.toString("base64") };
    }),
  );
}
