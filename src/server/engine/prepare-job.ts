import { UsageError } from "../../errors.ts";
import { type Conditioning, encodePrompt } from "../../generate/conditioning.ts";
import { accelerationOf, type ChosenLoras, chooseLoras } from "../../node/draw/choose-loras.ts";
import { type PreparedDrawing, prepareDrawing } from "../../node/draw/prepare-drawing.ts";
import type { NamedBytes } from "../../node/given-pictures.ts";
import { loraLibrary, ownLoraFolder } from "../../node/lora-files.ts";
import { samplerNamed } from "../../samplers/names.ts";
import type { SettledRequest } from "../schemas/draw-request.ts";
import { imageBytes } from "../schemas/given-image.ts";
import type { LoadedModel } from "./loaded-model.ts";
import type { EngineJob } from "./messages.ts";

/** A job with all its choices made, and its prompt encoded. */
export interface PreparedJob extends PreparedDrawing {
  readonly job: EngineJob;
  readonly conditioning: Conditioning;
}

/**
 * Makes a job ready to be drawn, and puts its LoRAs into the model.
 * @throws FourstepError when it cannot be drawn
 */
export async function prepareJob(loaded: LoadedModel, job: EngineJob, signal: AbortSignal): Promise<PreparedJob> {
  const { request } = job;
  const { opened, model, networks } = loaded;
  const sampler = request.sampler === undefined ? undefined : samplerNamed(request.sampler);
  const chosen = await chosenLoras(loaded, job, sampler?.name);
  const { adapters, hashes } = await loaded.use(chosen);
  const made = {
    model,
    modelName: request.model,
    name: undefined,
    learnedWords: [],
    adapters,
    acceleration: accelerationOf(opened.files, chosen),
    accelerator: chosen.accelerator,
    picturedLoras: { taggedPrompt: chosen.taggedPrompt, hashes },
  };
  const prepared = await prepareDrawing(opened.files.scheduler, made, chosen.prompt, {
    ...given(request),
    ...(sampler === undefined ? {} : { sampler }),
    negative: chosen.negativePrompt,
  });
  const { drawing, reading } = prepared;
  const conditioning = await encodePrompt(networks, model, { ...drawing, reading }, signal);
  return { ...prepared, warnings: [...chosen.warnings, ...prepared.warnings], job, conditioning };
}

/** LoRAs by the names that the folders have; nothing else on the disk can be named, and nothing is fetched. */
async function chosenLoras(
  { opened, path }: LoadedModel,
  { request, loraFolders }: EngineJob,
  sampler: string | undefined,
): Promise<ChosenLoras> {
  const own = await ownLoraFolder(path);
  const library = await loraLibrary(own === undefined ? loraFolders : [...loraFolders, own]);
  const lora: string[] = [];
  for (const { name, weight } of request.loras) {
    const file = await library.find(name);
    if (file === undefined) throw new UsageError(`There is no LoRA "${name}" here; /api/loras names those that are.`);
    lora.push(`${file}:${weight}`);
  }
  const wishes = {
    lora,
    loraDir: loraFolders,
    ...(request.lcm === undefined ? {} : { lcm: request.lcm }),
    ...(sampler === undefined ? {} : { sampler }),
  };
  const texts = { prompt: request.prompt, negativePrompt: request.negative };
  return chooseLoras({ path, files: opened.files }, texts, wishes, { env: { HF_HUB_OFFLINE: "1" } });
}

/** What a request gives; keys of what it leaves out are not there. */
function given(request: SettledRequest): Omit<Parameters<typeof prepareDrawing>[3], "sampler" | "negative"> {
  const { steps, guidance, seed, size, clipSkip, promptSyntax, init, mask, strength, strengthSteps, maskBlur, fit } =
    request;
  const optional = { steps, guidance, size, strength, strengthSteps, maskBlur, fit };
  const told = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined));
  return {
    ...(told as { [K in keyof typeof optional]?: NonNullable<(typeof optional)[K]> }),
    clipSkip,
    promptSyntax,
    seed,
    ...(init === undefined ? {} : { init: named("the picture", init) }),
    ...(mask === undefined ? {} : { mask: named("the mask", mask) }),
  };
}

const named = (name: string, base64: string): NamedBytes => ({ name, bytes: imageBytes(base64) });
