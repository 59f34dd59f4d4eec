import { statSync } from "node:fs";
import { UsageError } from "../errors.ts";
import { openFileSource } from "../formats/file-source.node.ts";
import { openTensorFile } from "../formats/open-tensor-file.ts";
import type { Model } from "../generate/model.ts";
import type { LearnedWord } from "../generate/prompt/learned-words.ts";
import { readTextualInversion } from "../generate/prompt/textual-inversion.ts";

/**
 * Reads files of textual inversion for a model, each given as `FILE` or `FILE:word`.
 * @throws UsageError when there is no such file, or it was made for another model; FormatError when it is damaged
 */
export async function readEmbeddings(texts: readonly string[], model: Model): Promise<LearnedWord[]> {
  const encoders = [model.textEncoder, ...(model.second === undefined ? [] : [model.second.textEncoder])];
  const learning = { name: model.name, widths: encoders.map(({ config }) => config.width) };
  const words: LearnedWord[] = [];
  for (const text of texts) {
    const { path, word } = parseEmbedding(text);
    await using source = await openFileSource(path);
    words.push(...(await readTextualInversion(await openTensorFile(source), learning, word)));
  }
  return words;
}

/** `FILE` or `FILE:word`. */
function parseEmbedding(text: string): { readonly path: string; readonly word: string | undefined } {
  if (isFile(text)) return { path: text, word: undefined };
  const colon = text.lastIndexOf(":");
  const [path, word] = [text.slice(0, colon), text.slice(colon + 1).trim()];
  if (colon > 0 && isFile(path)) {
    if (word !== "") return { path, word };
    throw new UsageError(`${text}: the word after the colon is missing.`);
  }
  throw new UsageError(`${text}: there is no such file; give a file of textual inversion, or FILE:word.`);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
