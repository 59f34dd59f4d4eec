import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { UsageError } from "../../errors.ts";
import { chooseAutoencoderFiles, chooseLoraFile, chooseModelFiles, type WeightVariant } from "./files.ts";
import { type HubReference, parseHubReference } from "./reference.ts";
import { fetchSnapshot, type HubOptions } from "./snapshot.ts";

/** A model or file on this machine, and what people call it. */
export interface Resolved {
  readonly path: string;
  readonly name: string;
}

/**
 * Finds a model by what people write: a path, or else a hub's `owner/name[/file][@revision]`, which is fetched.
 * @param variant of the weights, for a model that is fetched
 * @throws UsageError when the hub has no such model; a path is given back as it is, and opening it says what is wrong
 */
export async function resolveModel(text: string, variant: WeightVariant, options: HubOptions): Promise<Resolved> {
  const reference = existsSync(text) ? undefined : parseHubReference(text);
  if (reference === undefined) return { path: text, name: basename(resolve(text)) };
  const { repo, file } = reference;
  if (file !== undefined) return fetchFile(reference, () => file, options);
  let single: string | undefined;
  const choose = (paths: readonly string[]): readonly string[] => {
    const { kind, files } = chooseModelFiles(repo, paths, variant);
    single = kind === "file" ? files[0] : undefined;
    return files;
  };
  const { folder } = await fetchSnapshot(reference, choose, options);
  const name = single === undefined ? repo.slice(repo.indexOf("/") + 1) : basename(single);
  return { path: single === undefined ? folder : join(folder, single), name };
}

/**
 * Finds an autoencoder by what people write: a path, or else a hub's `owner/name[/file][@revision]`, which is fetched; of a
 * whole model its `vae` alone.
 * @throws UsageError when the hub has no such autoencoder; a path is given back as it is
 */
export async function resolveAutoencoder(text: string, options: HubOptions): Promise<string> {
  const reference = existsSync(text) ? undefined : parseHubReference(text);
  if (reference === undefined) return text;
  const { repo, file } = reference;
  if (file !== undefined) return (await fetchFile(reference, () => file, options)).path;
  let place = "";
  const choose = (paths: readonly string[]): readonly string[] => {
    const { kind, part, files } = chooseAutoencoderFiles(repo, paths);
    place = kind === "file" ? files[0]! : part;
    return files;
  };
  const { folder } = await fetchSnapshot(reference, choose, options);
  return join(folder, place);
}

/** Each of several files as `resolveFile` finds it. @throws UsageError when the hub lacks one */
export async function resolveFiles(texts: readonly string[] | undefined, options: HubOptions): Promise<string[]> {
  const found: string[] = [];
  for (const text of texts ?? []) found.push(await resolveFile(text, options));
  return found;
}

/**
 * Puts the path of a fetched file in place of a hub's `owner/name[/file][@revision]` in a LoRA or embedding as people write
 * it, and leaves what follows the last colon; every other text stays as it is.
 * @throws UsageError when the hub has no such file
 */
export async function resolveFile(text: string, options: HubOptions): Promise<string> {
  const colon = text.lastIndexOf(":");
  const [path, rest] = colon > 0 && !existsSync(text) ? [text.slice(0, colon), text.slice(colon)] : [text, ""];
  const reference = existsSync(path) ? undefined : parseHubReference(path);
  if (reference === undefined) return text;
  const { repo, file } = reference;
  const fetched = await fetchFile(reference, (paths) => file ?? chooseLoraFile(repo, paths), options);
  return fetched.path + rest;
}

async function fetchFile(
  reference: HubReference,
  choose: (paths: readonly string[]) => string,
  options: HubOptions,
): Promise<Resolved> {
  const { folder, files } = await fetchSnapshot(
    reference,
    (paths) => {
      const file = choose(paths);
      if (paths.includes(file)) return [file];
      throw new UsageError(`${reference.repo}: there is no file ${file} in this repository.`);
    },
    options,
  );
  return { path: join(folder, ...files[0]!.split("/")), name: basename(files[0]!) };
}
