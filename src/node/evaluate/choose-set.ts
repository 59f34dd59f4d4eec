import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../errors.ts";
import { decodeSplit, type EvaluationSplit, splitSet } from "../../evaluation/evaluation-split.ts";
import type { PictureSet } from "../../training/data/picture-set.ts";
import { openPictures } from "../open-pictures.ts";
import { shippedModelFolder } from "../shipped-model.ts";

/** The file beside a model that says which pictures of its set are held out. */
export const modelSplitFile = "held-out.json";

/** Where `npm run model:pictures` puts the shipped model's pictures. */
const shippedPictures = fileURLToPath(new URL("../../../runs/pictures/base", import.meta.url));

/**
 * The set to evaluate on: the one that was named, or the shipped model's own.
 * @throws UsageError when there is none
 */
export async function chooseSet(named: string | undefined, model: string): Promise<PictureSet> {
  if (named !== undefined) return openPictures(named);
  if (resolve(model) === resolve(shippedModelFolder()) && existsSync(shippedPictures))
    return openPictures(shippedPictures);
  throw new UsageError(
    "There are no pictures to compare with: name a set with --data, or draw the shipped model's own by npm run model:pictures.",
  );
}

/**
 * The split of a set: that of the file that was named; or what the model says of its own set; or what the set says itself, or
 * else the seed.
 * @throws UsageError, FormatError when the file cannot be read
 */
export async function chooseSplit(
  set: PictureSet,
  { named, model, seed }: { readonly named: string | undefined; readonly model: string; readonly seed: number },
): Promise<EvaluationSplit> {
  if (named !== undefined) {
    let text: string;
    try {
      text = await readFile(named, "utf8");
    } catch (cause) {
      throw new UsageError(`${named}: the split cannot be read (${(cause as Error).message}).`, { cause });
    }
    return decodeSplit(text, named);
  }
  const own = await readFile(join(model, modelSplitFile), "utf8").catch(() => undefined);
  if (own === undefined) return splitSet(set, seed);
  const split = decodeSplit(own, modelSplitFile);
  const names = new Set(set.entries.map(({ name }) => name));
  return [...split.drawn, ...split.real].every((name) => names.has(name)) ? split : splitSet(set, seed);
}
