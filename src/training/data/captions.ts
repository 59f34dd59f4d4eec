import { UsageError } from "../../errors.ts";

/** What is known about a picture in words; `subject` and `style` let a caption be composed anew each time. */
export interface CaptionRecord {
  /** A caption written by a person, used as it stands where no subject is given. */
  readonly text?: string;
  /** The plain name of what is shown, such as "red apple". */
  readonly subject?: string;
  /** Other names that a person might type. */
  readonly synonyms?: readonly string[];
  /** One style word, such as "flat"; captions say "flat style". */
  readonly style?: string;
}

/** How often each part of a composed caption appears, as probabilities from 0 to 1. */
export interface CaptionHabits {
  /** That the style is named. */
  readonly styled: number;
  /** That a synonym replaces the subject, where there is one. */
  readonly synonym: number;
  /** That an article stands before a name that can take one. */
  readonly article: number;
}

/** Style in three of four captions, so that the free and the styled prompt both work. */
export const defaultCaptionHabits: CaptionHabits = { styled: 0.75, synonym: 0.2, article: 0.5 };

/** Names of matter, and plurals without an s, which take no article. */
const uncountable: ReadonlySet<string> = new Set(
  (
    "bacon badminton bowling bread broccoli cheese chocolate coffee corn dice earth fire fries honey lightning meat milk " +
    "pasta popcorn ramen salad spaghetti sushi tea tennis water yarn"
  ).split(" "),
);

/** Words that begin with a vowel letter but not with a vowel sound. */
const consonantSound: RegExp = /^(uni|ufo|use|uk|eu|ewe|one|once)/;

/** Words whose first letter is silent, or is spoken as its name with a vowel sound. */
const vowelSound: RegExp = /^(hour|honest|heir|suv|x-ray)/;

/** The word that decides number and article: the last one before "of", "on", "in", "behind" or "and". */
function headWord(name: string): string {
  const phrase = name.split(/ (?:of|on|in|behind|and|with) /)[0] ?? name;
  return phrase.split(" ").at(-1) ?? phrase;
}

/** Puts "a" or "an" before an English name, and nothing before a plural or an uncountable one. */
export function withArticle(name: string): string {
  const head = headWord(name).toLowerCase();
  const plural = head === "skis" || (head.endsWith("s") && !/(ss|us|is|os)$/.test(head));
  if (plural || uncountable.has(head)) return name;
  const first = name.toLowerCase();
  const vowel = vowelSound.test(first) || (/^[aeiou]/.test(first) && !consonantSound.test(first));
  return `${vowel ? "an" : "a"} ${name}`;
}

function pick<T>(items: readonly T[], random: () => number): T {
  const item = items[Math.min(items.length - 1, Math.floor(random() * items.length))];
  if (item === undefined) throw new UsageError("a caption needs at least one name to choose from");
  return item;
}

/**
 * Composes a caption such as "a red apple, flat style" from a record.
 *
 * It draws exactly five numbers from `random` for a record with a subject, whatever they decide, so that a stream of
 * captions stays in step; a record with only a text draws none and gives that text.
 * @param random uniform numbers in [0, 1)
 * @throws UsageError when the record has neither subject nor text.
 */
export function composeCaption(
  record: CaptionRecord,
  random: () => number,
  habits: CaptionHabits = defaultCaptionHabits,
): string {
  if (record.subject === undefined) {
    if (record.text === undefined) throw new UsageError("a picture has neither a text nor a subject to caption it");
    return record.text;
  }
  const draws = [random(), random(), random(), random(), random()] as const;
  const synonyms = record.synonyms ?? [];
  const name = draws[0] < habits.synonym && synonyms.length > 0 ? pick(synonyms, () => draws[1]) : record.subject;
  const named = draws[2] < habits.article ? withArticle(name) : name;
  if (record.style === undefined || draws[3] >= habits.styled) return named;
  return draws[4] < 0.5 ? `${named}, ${record.style} style` : `${named} in ${record.style} style`;
}

/** The one caption of a record that uses no chance: "a red apple, flat style". */
export function plainCaption(record: CaptionRecord): string {
  const chances = [1, 0, 0, 0, 0];
  return composeCaption(record, () => chances.shift() ?? 0, { ...defaultCaptionHabits, styled: 1, article: 1 });
}
