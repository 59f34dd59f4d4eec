import { samplerTitles, UsageError } from "../../src/index.ts";
import { remoteStudio, type Studio, type StudioOptions, type WebDrawingEvent } from "../../src/web/index.ts";
import { type DrawEvent, type Drawer, DrawFault, type DrawRequest } from "../drawer.ts";
import { imageDataOf, pngOf, readBlob } from "./bitmaps.ts";
import { countProgress, loading } from "./loading.ts";
import type { Site, SiteModel } from "./site.ts";

/** The most that one request may ask for: a browser has less memory than a server. */
const limits = { side: 512, steps: 100 };

/** Draws in the page itself, in a worker, with one model at a time. */
export function browserDrawer(site: Promise<Site>, options: Pick<StudioOptions, "device" | "threads">): Drawer {
  let open: { readonly model: string; readonly studio: Promise<Studio> } | undefined;

  const studioOf = async (name: string | undefined): Promise<Studio> => {
    const { version, runtimeFiles, models } = await site;
    const model = modelNamed(models, name);
    if (open?.model !== model.name) {
      open?.studio.then((studio) => studio.close()).catch(() => undefined);
      open = {
        model: model.name,
        studio: openModel(model, { ...options, version, runtimeFiles: address(runtimeFiles) }),
      };
    }
    const { studio } = open;
    // A download that broke off is begun again with the next picture.
    studio.catch(() => {
      if (open?.studio === studio) open = undefined;
    });
    return studio;
  };
  return {
    async ready() {
      await studioOf(open?.model).catch(rethrow);
    },
    async offers(name) {
      const { models } = await site;
      return {
        models: models.map((model, i) => ({ name: model.name, usual: i === 0 })),
        loras: modelNamed(models, name).loras.map((lora) => ({ name: lora })),
        samplers: Object.entries(samplerTitles).map(([sampler, title]) => ({ name: sampler, title })),
        limits,
      };
    },
    async *draw({ init, model, ...request }: DrawRequest, signal) {
      try {
        if (loading.peek().kind !== "ready") yield { kind: "waiting" };
        const studio = await studioOf(model);
        const picture = init === undefined ? {} : { picture: await readBlob(init) };
        signal.throwIfAborted();
        for await (const event of studio.draw({ ...request, ...picture }, signal)) yield await shown(event);
      } catch (error) {
        signal.throwIfAborted();
        rethrow(error);
      }
    },
  };
}

const address = (path: string): string => new URL(path, document.baseURI).href;

function modelNamed(models: readonly SiteModel[], name: string | undefined): SiteModel {
  const model = name === undefined ? models[0] : models.find((one) => one.name === name);
  if (model === undefined) throw new DrawFault("invalid", `There is no model "${name}" here.`);
  return model;
}

async function openModel({ folder, bytes }: SiteModel, options: StudioOptions): Promise<Studio> {
  loading.value = { kind: "fetching", loaded: 0, total: bytes };
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  try {
    const studio = await remoteStudio(worker, address(folder), { ...options, onProgress: countProgress(bytes) });
    loading.value = { kind: "ready", info: studio.info };
    return studio;
  } catch (error) {
    worker.terminate();
    loading.value = { kind: "failed", message: (error as Error).message };
    throw error;
  }
}

async function shown(event: WebDrawingEvent): Promise<DrawEvent> {
  switch (event.kind) {
    case "step": {
      const { preview, ...step } = event;
      return preview === undefined ? step : { ...step, preview: imageDataOf(preview) };
    }
    case "picture":
      return {
        kind: "picture",
        png: await pngOf(event.pixels, event.settings),
        seed: event.seed,
        settings: event.settings,
      };
    case "warnings":
      return event;
  }
}

function rethrow(error: unknown): never {
  if (error instanceof DrawFault) throw error;
  const message = error instanceof Error ? error.message : String(error);
  throw new DrawFault(error instanceof UsageError ? "invalid" : "failed", message);
}
