import { trainTokenizerFiles } from "../../models/tokenizer/bpe-trainer.ts";
import type { TokenizerFiles } from "../../models/tokenizer/tokenizer-files.ts";
import { counterUniform } from "../../tensor/random/counter.ts";
import { type CaptionRecord, composeCaption } from "../../training/data/captions.ts";
import { openPictures } from "../open-pictures.ts";

/** Captions composed of each record, so that its articles, synonyms and styles all occur. */
const captionsPerRecord = 32;
/** The most numbers that one caption draws. */
const drawsPerCaption = 5;

export interface VocabularyOptions {
  readonly size: number;
  /** Tokens of a caption, begin, end and padding included. */
  readonly tokens: number;
  /** Further picture sets whose captions count. */
  readonly places: readonly string[];
}

/**
 * Makes a tokenizer from the captions of pictures: the same captions give the same files.
 * @throws UsageError when a further set cannot be opened
 */
export async function makeVocabulary(
  records: readonly CaptionRecord[],
  { size, tokens, places }: VocabularyOptions,
): Promise<TokenizerFiles> {
  const all = [...records];
  for (const place of places) all.push(...(await openPictures(place)).entries);
  return trainTokenizerFiles(captionsOf(all), { vocabularySize: size, minimumCount: 2, maxLength: tokens });
}

function* captionsOf(records: readonly CaptionRecord[]): Generator<string> {
  for (const [index, record] of records.entries()) {
    const draws = counterUniform(0, "vocabulary", index, captionsPerRecord * drawsPerCaption);
    let next = 0;
    for (let i = 0; i < captionsPerRecord; i++) yield composeCaption(record, () => draws[next++]!);
  }
}
