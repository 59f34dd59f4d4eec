import { stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CheckpointError, UsageError } from "../errors.ts";
import { readTokenizer } from "../models/checkpoint/diffusers-folder.ts";
import type { TokenizerFiles } from "../models/tokenizer/tokenizer-files.ts";
import { cachedCommit, hubCache } from "./hub/cache.ts";
import { defaultRevision } from "./hub/reference.ts";
import { hubSettings } from "./hub/settings.ts";
import { openModelFolder } from "./model-folder.ts";

/** Where the vocabulary of all Stable Diffusion models was published first. */
const clipRepository = "openai/clip-vit-large-patch14";

/**
 * The tokenizer for a model in one file, which holds none: of the folder that was named; or beside the file, in a folder
 * `tokenizer` or bare; or from the hub's cache, when CLIP was ever fetched.
 * @param file path of the model
 * @param wanted folder with `vocab.json` and `merges.txt`, or with a folder `tokenizer` that has them
 * @param env where the settings of the hub's cache stand
 * @throws UsageError when the wanted folder has no tokenizer; CheckpointError when there is none anywhere
 */
export async function findTokenizer(
  file: string,
  wanted: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Promise<TokenizerFiles> {
  if (wanted !== undefined) {
    const files = await tokenizerIn(wanted);
    if (files !== undefined) return files;
    throw new UsageError(
      `${wanted}: this folder has no tokenizer; vocab.json and merges.txt, or a folder tokenizer with them, were expected.`,
    );
  }
  const cached = await cachedTokenizer(env);
  for (const folder of [dirname(file), ...(cached === undefined ? [] : [cached])]) {
    const files = await tokenizerIn(folder);
    if (files !== undefined) return files;
  }
  throw new CheckpointError(
    `${basename(file)}: a model in one file holds no tokenizer; give a folder with CLIP's vocab.json and merges.txt by --tokenizer, or put it beside the file under the name tokenizer.`,
  );
}

async function tokenizerIn(path: string): Promise<TokenizerFiles | undefined> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined || !info.isDirectory()) return undefined;
  await using folder = await openModelFolder(path);
  for (const part of ["tokenizer", "."]) {
    for (const name of ["vocab.json", "tokenizer.json"]) {
      if (await folder.exists(`${part}/${name}`)) return (await readTokenizer(folder, part)).tokenizerFiles;
    }
  }
  return undefined;
}

async function cachedTokenizer(env: Readonly<Record<string, string | undefined>>): Promise<string | undefined> {
  const cache = hubCache(clipRepository, await hubSettings(env));
  const commit = await cachedCommit(cache, { repo: clipRepository, revision: defaultRevision, file: undefined });
  return commit === undefined ? undefined : join(cache.snapshots, commit);
}
