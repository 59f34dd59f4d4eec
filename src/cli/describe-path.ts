import { open, readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { UsageError } from "../errors.ts";
import { infotextKeyword, parseInfotext } from "../formats/infotext.ts";
import { readPngText } from "../formats/png-text.ts";
import { familyOf } from "../generate/family.ts";
import { unetTable } from "../models/module-table.ts";
import { resolveModel } from "../node/hub-models.ts";
import { describeFile, type LoraBase } from "../node/inspect-file.ts";
import { describeModel } from "../node/inspect-model.ts";
import { openModel } from "../node/open-model.ts";
import { shippedModelFolder } from "../node/shipped-model.ts";
import type { CliContext } from "./command.ts";
import { type Description, descriptionLines, type PictureDescription } from "./description-lines.ts";
import { fetchOptions } from "./fetching.ts";

/** What `fourstep inspect` was told. */
export interface InspectOptions {
  readonly model?: string;
  readonly json?: boolean;
}

/** Says what a path holds, or a hub's id, which is fetched. @throws FourstepError when it is nothing known */
export async function describePath(text: string, options: InspectOptions, context: CliContext): Promise<void> {
  const { stdout } = context;
  const local = async (name: string): Promise<string> =>
    (await resolveModel(name, undefined, fetchOptions(context))).path;
  const model = options.model === undefined ? undefined : await local(options.model);
  const description = await describe(await local(text), model);
  stdout.write(
    options.json === true ? `${JSON.stringify(description)}\n` : `${descriptionLines(description).join("\n")}\n`,
  );
}

async function describe(path: string, model: string | undefined): Promise<Description> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) throw new UsageError(`${path}: there is no such file or folder.`);
  if (info.isDirectory()) {
    const { folder, files } = await openModel(path);
    await using _ = folder;
    return describeModel(files);
  }
  if (await isPng(path)) return describePicture(path);
  return describeFile(path, await ownBase(model));
}

/** The model that a LoRA is compared with first: the one that was named, or else the one that comes with the package. */
async function ownBase(model: string | undefined): Promise<LoraBase[]> {
  const path = model ?? installedModel();
  if (path === undefined) return [];
  const { folder, files } = await openModel(path);
  await using _ = folder;
  const { config } = files.unet;
  const family = familyOf(config);
  return [{ name: family?.name ?? files.name, modules: unetTable(config).modules }];
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
