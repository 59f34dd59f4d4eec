import { freemem, totalmem } from "node:os";
import { createRoute, z } from "@hono/zod-openapi";
import { infotextKeyword, parseInfotext } from "../../formats/infotext.ts";
import { readPngText } from "../../formats/png-text.ts";
import { samplerNames, samplerTitles } from "../../samplers/names.ts";
import { type Router, router } from "../http/router.ts";
import { Problem } from "../problem.ts";
import { optionsSchema, pngInfoSchema, progressSchema, type ShownProgress } from "../schemas/a1111.ts";
import { imageBytes } from "../schemas/given-image.ts";
import type { ServerParts } from "../server-parts.ts";
import type { A1111Session, Progress } from "./session.ts";

const tags = ["A1111"];
const anything = { 200: { description: "done", content: { "application/json": { schema: z.unknown() } } } };

const get = <P extends string>(path: P) => createRoute({ method: "get", path, tags, responses: anything });
const post = <P extends string>(path: P) => createRoute({ method: "post", path, tags, responses: anything });

const setOptions = createRoute({
  method: "post",
  path: "/options",
  tags,
  request: { body: { required: true, content: { "application/json": { schema: optionsSchema } } } },
  responses: anything,
});
const pngInfo = createRoute({
  method: "post",
  path: "/png-info",
  tags,
  request: { body: { required: true, content: { "application/json": { schema: pngInfoSchema } } } },
  responses: anything,
});
const progress = createRoute({
  method: "get",
  path: "/progress",
  tags,
  request: { query: z.object({ skip_current_image: z.string().optional(), skipCurrentImage: z.string().optional() }) },
  responses: { 200: { description: "how far", content: { "application/json": { schema: progressSchema } } } },
});

/** How noise levels are spread, with the words that samplers' names take for it. */
const schedulers = [
  ["automatic", "Automatic"],
  ["karras", "Karras"],
  ["exponential", "Exponential"],
  ["sgm_uniform", "SGM Uniform"],
  ["beta", "Beta"],
] as const;

/** What A1111's clients ask beside pictures. Lists of what this server does not have are empty. */
export function a1111InfoRoutes(parts: ServerParts, session: A1111Session): Router {
  const { catalog } = parts;
  const routes = router()
    .openapi(get("/samplers"), (c) =>
      c.json(
        samplerNames.map((name) => ({ name: samplerTitles[name], aliases: [name], options: {} })),
        200,
      ),
    )
    .openapi(get("/schedulers"), (c) =>
      c.json(
        schedulers.map(([name, label]) => ({ name, label, aliases: null, default_rho: -1, need_inner_model: false })),
        200,
      ),
    )
    .openapi(get("/sd-models"), async (c) => {
      const models = await catalog.models();
      const shown = models.map(({ name }) => ({
        title: name,
        // Not A1111's, but a client looks for it.
        name,
        model_name: name,
        hash: null,
        sha256: null,
        filename: name,
        config: null,
      }));
      return c.json(shown, 200);
    })
    .openapi(get("/loras"), async (c) => {
      const model = (await catalog.find(session.options.sd_model_checkpoint ?? "")) ?? catalog.usual;
      return c.json(
        (await catalog.loras(model)).map(({ name }) => ({ name, alias: name, path: name, metadata: {} })),
        200,
      );
    })
    .openapi(get("/options"), async (c) => {
      const { sd_model_checkpoint: checkpoint = catalog.usual.name, ...others } = session.options;
      const { CLIP_stop_at_last_layers: clip = 1, live_previews_enable: previews = false } = others;
      const known = { sd_model_checkpoint: checkpoint, CLIP_stop_at_last_layers: clip, live_previews_enable: previews };
      return c.json({ ...others, ...known }, 200);
    })
    .openapi(setOptions, async (c) => {
      const options = c.req.valid("json");
      const checkpoint = options.sd_model_checkpoint;
      if (checkpoint !== undefined && (await catalog.find(checkpoint)) === undefined) {
        throw new Problem("not_found", `There is no model "${checkpoint}" here.`, { field: "sd_model_checkpoint" });
      }
      const { sd_model_checkpoint, CLIP_stop_at_last_layers, live_previews_enable } = options;
      session.set({ sd_model_checkpoint, CLIP_stop_at_last_layers, live_previews_enable });
      return c.json(null, 200);
    })
    .openapi(progress, (c) => {
      const { skip_current_image: skip, skipCurrentImage: skipToo } = c.req.valid("query");
      return c.json(shownProgress(session, (skip ?? skipToo) === "true"), 200);
    })
    .openapi(post("/interrupt"), (c) => {
      session.interrupt();
      return c.json({}, 200);
    })
    .openapi(post("/skip"), (c) => {
      session.interrupt();
      return c.json({}, 200);
    })
    .openapi(pngInfo, async (c) => c.json(await pictureInfo(imageBytes(c.req.valid("json").image)), 200))
    .openapi(get("/memory"), (c) => {
      const used = process.memoryUsage().rss;
      // Clients look for the card's memory, too; the processor draws here.
      const cuda = { error: "unavailable" };
      return c.json({ ram: { free: freemem(), used, total: totalmem() }, cuda }, 200);
    })
    .openapi(get("/cmd-flags"), (c) => c.json({ api: true }, 200))
    .openapi(get("/upscalers"), (c) =>
      c.json([{ name: "None", model_name: null, model_path: null, model_url: null, scale: 4 }], 200),
    )
    .openapi(get("/embeddings"), (c) => c.json({ loaded: {}, skipped: {} }, 200))
    .openapi(post("/refresh-checkpoints"), (c) => c.json(null, 200))
    .openapi(post("/refresh-loras"), (c) => c.json(null, 200));
  for (const path of [
    "/hypernetworks",
    "/face-restorers",
    "/realesrgan-models",
    "/prompt-styles",
    "/sd-vae",
    "/latent-upscale-modes",
  ]) {
    routes.openapi(get(path), (c) => c.json([], 200));
  }
  return routes as Router;
}

async function pictureInfo(bytes: Uint8Array): Promise<unknown> {
  const texts = await readPngText(bytes, "the picture").catch((cause: unknown) => {
    throw new Problem("invalid", "This is no PNG that can be read.", { field: "image", cause });
  });
  const info = texts.get(infotextKeyword) ?? "";
  const { prompt, negativePrompt, settings } = parseInfotext(info);
  const parameters = { Prompt: prompt, "Negative prompt": negativePrompt, ...Object.fromEntries(settings) };
  return { info, items: Object.fromEntries(texts), parameters: info === "" ? {} : parameters };
}

function shownProgress({ current, jobs }: A1111Session, skipImage: boolean): ShownProgress {
  const share = current === undefined ? 0 : shareOf(current);
  const seconds = current === undefined ? 0 : (Date.now() - current.begun) / 1000;
  return {
    progress: share,
    eta_relative: share > 0 ? (seconds * (1 - share)) / share : 0,
    state: {
      skipped: false,
      interrupted: false,
      stopping_generation: false,
      job: current === undefined ? "" : `Batch ${current.picture + 1} out of ${current.pictures}`,
      job_count: jobs,
      job_timestamp:
        current === undefined ? "" : new Date(current.begun).toISOString().replaceAll(/\D/g, "").slice(0, 14),
      job_no: current?.picture ?? 0,
      sampling_step: current?.step ?? 0,
      sampling_steps: current?.steps ?? 0,
    },
    current_image: skipImage || current?.preview === undefined ? null : Buffer.from(current.preview).toString("base64"),
    textinfo: null,
  };
}

const shareOf = ({ picture, pictures, step, steps }: Progress): number =>
  steps === 0 ? 0 : Math.min(1, (picture + step / steps) / pictures);
