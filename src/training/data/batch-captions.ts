import { counterUniform } from "../../tensor/random/counter.ts";
import { type CaptionHabits, type CaptionRecord, composeCaption, defaultCaptionHabits } from "./captions.ts";

/** Numbers set aside for each caption: five that compose it and one that may leave it out. */
const drawsPerCaption = 6;

/**
 * The captions of one step's pictures, a pure function of (seed, step) and the records.
 * @param dropout probability from 0 to 1 that a caption is empty, which is what guidance later compares with
 * @throws UsageError when a record has neither subject nor text.
 */
export function composeBatchCaptions(
  records: readonly CaptionRecord[],
  seed: number,
  step: number,
  dropout: number,
  habits: CaptionHabits = defaultCaptionHabits,
): string[] {
  const draws = counterUniform(seed, "captions", step, records.length * drawsPerCaption);
  return records.map((record, member) => {
    let next = member * drawsPerCaption;
    const random = (): number => draws[next++]!;
    const dropped = random() < dropout;
    const caption = composeCaption(record, random, habits);
    return dropped ? "" : caption;
  });
}
