import { createRoute } from "@hono/zod-openapi";
import type { Context } from "hono";
import sharp from "sharp";
import { parseInfotext } from "../../formats/infotext.ts";
import { drawNow, picturesOf } from "../draw-now.ts";
import { type RequestVariables, type Router, router } from "../http/router.ts";
import type { Job } from "../jobs/job.ts";
import {
  a1111ErrorSchema,
  type DrawnPictures,
  drawnSchema,
  img2imgSchema,
  type TextWishes,
  txt2imgSchema,
} from "../schemas/a1111.ts";
import type { DrawRequest } from "../schemas/draw-request.ts";
import { imageBytes } from "../schemas/given-image.ts";
import type { ServerParts } from "../server-parts.ts";
import type { A1111Session } from "./session.ts";
import { imageRequest, textRequest } from "./to-request.ts";

const responses = {
  200: { description: "the pictures", content: { "application/json": { schema: drawnSchema } } },
  default: { description: "what is wrong", content: { "application/json": { schema: a1111ErrorSchema } } },
};
const tags = ["A1111"];

const txt2img = createRoute({
  method: "post",
  path: "/txt2img",
  tags,
  request: { body: { required: true, content: { "application/json": { schema: txt2imgSchema } } } },
  responses,
});
const img2img = createRoute({
  method: "post",
  path: "/img2img",
  tags,
  request: { body: { required: true, content: { "application/json": { schema: img2imgSchema } } } },
  responses,
});

/** `/sdapi/v1/txt2img` and `/sdapi/v1/img2img`. */
export function a1111DrawRoutes(parts: ServerParts, session: A1111Session): Router {
  return router()
    .openapi(txt2img, async (c) => {
      const wishes = c.req.valid("json");
      return c.json(await draw(c, parts, session, wishes, textRequest(wishes, session.options)), 200);
    })
    .openapi(img2img, async (c) => {
      const wishes = c.req.valid("json");
      const request = imageRequest(wishes, session.options);
      const { mask } = request;
      const inverted =
        mask === undefined || wishes.inpainting_mask_invert !== true ? {} : { mask: await negative(mask) };
      return c.json(await draw(c, parts, session, wishes, { ...request, ...inverted }), 200);
    }) as Router;
}

async function negative(mask: string): Promise<string> {
  const picture = sharp(imageBytes(mask)).flatten({ background: "black" }).toColourspace("b-w");
  return (await picture.negate().png().toBuffer()).toString("base64");
}

async function draw(
  c: Context<RequestVariables>,
  parts: ServerParts,
  session: A1111Session,
  wishes: TextWishes,
  request: DrawRequest,
): Promise<DrawnPictures> {
  const { signal, onEvent, end } = session.begin(request.count);
  try {
    const job = await drawNow(parts, request, AbortSignal.any([c.req.raw.signal, signal]), onEvent);
    const pngs = wishes.send_images === false ? [] : await picturesOf(parts, job);
    return drawn(wishes, job, pngs);
  } catch (error) {
    // What an interrupted request gives is no error to A1111's clients.
    if (!signal.aborted) throw error;
    return { images: [], parameters: shown(wishes), info: JSON.stringify({ interrupted: true }) };
  } finally {
    end();
  }
}

function drawn(wishes: TextWishes, job: Job, pngs: readonly Uint8Array[]): DrawnPictures {
  const infotexts = job.pictures.map(({ settings }) => settings);
  const { settings } = parseInfotext(infotexts[0] ?? "");
  const number = (name: string): number => Number(settings.get(name) ?? 0);
  const [width, height] = (settings.get("Size") ?? "0x0").split("x").map(Number);
  const { request } = job;
  const seeds = job.pictures.map(({ seed }) => seed);
  return {
    images: pngs.map((png) => Buffer.from(png).toString("base64")),
    parameters: shown(wishes),
    info: JSON.stringify({
      prompt: request.prompt,
      all_prompts: seeds.map(() => request.prompt),
      negative_prompt: request.negative,
      all_negative_prompts: seeds.map(() => request.negative),
      seed: seeds[0],
      all_seeds: seeds,
      width,
      height,
      sampler_name: settings.get("Sampler"),
      cfg_scale: number("CFG scale"),
      steps: number("Steps"),
      batch_size: seeds.length,
      sd_model_name: request.model,
      clip_skip: request.clipSkip,
      denoising_strength: request.strength ?? null,
      infotexts,
      index_of_first_image: 0,
      warnings: job.warnings,
      job_id: job.id,
    }),
  };
}

/** What was asked, without the pictures. */
function shown(wishes: TextWishes): Record<string, unknown> {
  return { ...wishes, init_images: undefined, mask: undefined };
}
