import { open, readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { UsageError } from "../errors.ts";
import { infotextKeyword, parseInfotext } from "../formats/infotext.ts";
import { readPngText } from "../formats/png-text.ts";
import { resolveModel } from "../node/hub/models.ts";
import { describeFile } from "../node/inspect-file.ts";
import { describeFolder, readBase } from "../node/inspect-folder.ts";
import type { LoraBase } from "../node/inspect-lora.ts";
import { adapterFileIn } from "../node/lora-files.ts";
import { shippedModelFolder } from "../node/shipped-model.ts";
import type { CliContext } from "./command.ts";
import { type Description, descriptionLines, type PictureDescription } from "./description-lines.ts";
import { fetchOptions } from "./fetching.ts";

/** What `fourstep inspect` was told. */
export interface InspectOptions {
  readonly model?: string;
  readonly variant?: string;
  readonly table1?: boolean;
  readonly json?: boolean;
}

/** Says what a path, or a hub's model, holds. @throws FourstepError when it is nothing known */
export async function describePath(given: string, options: InspectOptions, context: CliContext): Promise<void> {
  const { path } = await resolveModel(given, options.variant, fetchOptions(context));
  const description = await describe(path, options.model, context);
  context.stdout.write(
    options.json === true ? `${JSON.stringify(description)}\n` : `${descriptionLines(description).join("\n")}\n`,
  );
}

async function describe(path: string, model: string | undefined, context: CliContext): Promise<Description> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) throw new UsageError(`${path}: there is no such file or folder.`);
  const bases = () => ownBase(model, context);
  if (info.isDirectory()) {
    const adapter = await adapterFileIn(path);
    return adapter === undefined ? describeFolder(path) : describeFile(adapter, bases);
  }
  if (await isPng(path)) return describePicture(path);
  return describeFile(path, bases);
}

/** The model that a LoRA is compared with first: the one that was named, or else the one that comes with the package. */
async function ownBase(model: string | undefined, context: CliContext): Promise<LoraBase[]> {
  const given = model ?? installedModel();
  if (given === undefined) return [];
  const { path } = await resolveModel(given, undefined, fetchOptions(context));
  return [await readBase(path)];
}

function installedModel(): string | undefined {
  try {
    return shippedModelFolder();
  } catch {
    return undefined;
  }
}

async function isPng(path: string): Promise<boolean> {
  await using file = await open(path);
  const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
  return buffer.toString("latin1") === "\u0089PNG";
}

async function describePicture(path: string): Promise<PictureDescription> {
  const name = basename(path);
  const texts = await readPngText(await readFile(path), name);
  const { prompt, negativePrompt, settings } = parseInfotext(texts.get(infotextKeyword) ?? "");
  return { kind: "picture", name, prompt, negativePrompt, settings: Object.fromEntries(settings) };
}
