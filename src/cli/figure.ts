import { readdir } from "node:fs/promises";
import { UsageError } from "../errors.ts";
import { type FigureName, parseFigureName } from "../evaluation/figures.ts";
import { planDrawing } from "../generate/plan.ts";
import { restartForModel } from "../node/allocator.ts";
import { drawFigure, type FigureModel } from "../node/evaluate/draw-figure.ts";
import { resolveModel } from "../node/hub/models.ts";
import type { HubOptions } from "../node/hub/snapshot.ts";
import { type LoraChoice, parseLoraChoice } from "../node/lora-choice.ts";
import { acceleratingLora, loraLibrary, loraName, ownLcmLora, ownLoraFolder } from "../node/lora-files.ts";
import { openModel, readLoras } from "../node/open-model.ts";
import { shippedModelFolder } from "../node/shipped-model.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import type { Device } from "../runtime/runtime.ts";
import type { CliContext } from "./command.ts";
import { fetchOptions } from "./fetching.ts";
import { StageDisplay } from "./stage-display.ts";

/** What `fourstep figure` was told. */
export interface FigureOptions {
  readonly model?: readonly string[];
  readonly variant?: string;
  readonly lora?: readonly string[];
  readonly style?: readonly string[];
  readonly loraDir?: readonly string[];
  readonly prompt?: readonly string[];
  readonly guidance?: number;
  readonly seed: number;
  readonly shown: number;
  readonly device: Device;
  readonly out: string;
  readonly json?: boolean;
}

/** Prompts of figures for which none is given: things that the shipped model knows. */
const usualPrompts: Readonly<Record<FigureName, readonly string[]>> = {
  "1": ["a red apple", "a fox", "a castle", "a guitar", "an owl", "a rocket", "a mushroom", "a sailboat"],
  "2": ["a fox", "a castle"],
  "3": ["a fox", "a castle"],
  lambda: ["a red apple", "a fox"],
  guidance: ["a fox", "a castle"],
  steps: ["a fox", "a castle"],
  loras: ["a red apple", "a fox", "a castle", "a guitar", "an owl", "a rocket", "a mushroom", "a sailboat"],
};

/**
 * Draws a figure, and says what was written.
 * @throws FourstepError when something that was given cannot be used; DOMException `AbortError` when the user stops it
 */
export async function figure(word: string, options: FigureOptions, context: CliContext): Promise<void> {
  const { stdout, stderr, signal } = context;
  const name = parseFigureName(word);
  const { model: given = [shippedModelFolder()], prompt: prompts = usualPrompts[name], seed, shown, out } = options;
  if (given.length > 1 && name !== "1")
    throw new UsageError(
      `Figure ${name} is drawn with one model, but ${given.length} were given; figure 1 takes several.`,
    );
  if ((options.lora?.length ?? 0) > 1 && name !== "loras")
    throw new UsageError(
      `Figure ${name} takes one LCM-LoRA, but ${options.lora?.length} were given; the sheet loras takes several.`,
    );
  if (prompts.some((one) => one.trim() === "")) throw new UsageError("A prompt is empty; say what the pictures show.");
  const hub = fetchOptions(context);
  const runtime = onnxRuntime({ device: options.device });
  const display = new StageDisplay(stderr);
  const models: FigureModel[] = [];
  const found: FoundLoras[] = [];
  try {
    for (const text of given) {
      const { path, name: modelName } = await resolveModel(text, options.variant, hub);
      if (stdout === process.stdout && given.length === 1) await restartForModel(path);
      const opened = await openModel(path);
      const loras = await lorasOf(path, modelName, options, hub);
      models.push({ name: modelName, opened, loras: loras.loras });
      found.push(loras);
      await readLoras(opened.files, [...loras.loras.values()]);
    }
    const output = await drawFigure(runtime, {
      ...{ name, models, prompts, seed, shown, out, signal },
      styles: found[0]!.styles,
      accelerations: found[0]!.accelerations,
      guidance: options.guidance ?? planDrawing({ sampler: "ddim" }, "none").guidanceScale,
      onProgress: (what, done, total) => display.show(what, done, total),
    });
    display.end();
    stdout.write(options.json ? `${JSON.stringify({ output })}\n` : `${output.join("\n")}\n`);
  } finally {
    display.end();
    await runtime.dispose();
    for (const { opened } of models) await opened.folder.close();
  }
}

interface FoundLoras {
  readonly loras: ReadonlyMap<string, LoraChoice>;
  readonly styles: readonly string[];
  readonly accelerations: readonly string[];
}

/** A model's acceleration vectors and styles: those that were given, or its own. */
async function lorasOf(
  model: string,
  name: string,
  { lora, style, loraDir = [] }: FigureOptions,
  hub: HubOptions,
): Promise<FoundLoras> {
  const own = await ownLoraFolder(model);
  const library = await loraLibrary(own === undefined ? loraDir : [...loraDir, own]);
  const loras = new Map<string, LoraChoice>();
  const accelerations: string[] = [];
  for (const text of lora ?? []) {
    const { choice } = await parseLoraChoice(text, library, hub);
    loras.set(loraName(choice.path), choice);
    accelerations.push(loraName(choice.path));
    if (!loras.has("lcm")) loras.set("lcm", choice);
  }
  const ownLcm = lora === undefined ? await ownLcmLora(model) : undefined;
  if (ownLcm !== undefined) {
    accelerations.push(loraName(ownLcm));
    for (const key of ["lcm", loraName(ownLcm)]) loras.set(key, { path: ownLcm, weight: 1 });
  }
  if (!loras.has("lcm")) throw new UsageError(`${name} has no lora/lcm-lora.safetensors; give its LCM-LoRA by --lora.`);
  const styles: string[] = [];
  for (const text of style ?? (await ownStyles(own, library))) {
    const { choice } = await parseLoraChoice(text, library, hub);
    const short = loraName(choice.path).replace(/^style-/, "");
    styles.push(short);
    loras.set(short, choice);
  }
  return { loras, styles, accelerations };
}

/** Names of the LoRAs in a model's own folder that do not accelerate. */
async function ownStyles(
  folder: string | undefined,
  library: Awaited<ReturnType<typeof loraLibrary>>,
): Promise<string[]> {
  if (folder === undefined) return [];
  const files = new Set((await readdir(folder)).map((file) => file.replace(/\.[^.]+$/, "")));
  const styles: string[] = [];
  for (const name of await library.names()) {
    const path = files.has(name) ? await library.find(name) : undefined;
    if (path !== undefined && (await acceleratingLora(path)) === undefined) styles.push(name);
  }
  return styles;
}
