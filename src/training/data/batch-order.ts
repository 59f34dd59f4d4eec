import { UsageError } from "../../errors.ts";
import { counterPermutation } from "../../tensor/random/counter.ts";

/** Gives the members of a batch as indices into the set. */
export type BatchOrder = (step: number, batchSize: number) => number[];

/**
 * The order of a run: each epoch is a fresh random order of all `count` items, epochs follow one another without a gap.
 *
 * What a step draws depends on (seed, step, batchSize, count) alone, so a run that is resumed needs no state. The function
 * keeps the order of the epoch that it drew last, to save time only.
 * @param count items of the set, at least 1
 * @throws UsageError when `count` is not a positive whole number.
 */
export function createBatchOrder(seed: number, count: number): BatchOrder {
  if (!Number.isInteger(count) || count < 1) {
    throw new UsageError(`a set of ${count} pictures cannot be drawn from; it needs at least one`);
  }
  let held: { epoch: number; order: Int32Array } | undefined;
  const orderOf = (epoch: number): Int32Array => {
    if (held?.epoch !== epoch) held = { epoch, order: counterPermutation(seed, "picture order", epoch, count) };
    return held.order;
  };
  return (step, batchSize) =>
    Array.from({ length: batchSize }, (_, member) => {
      const drawn = step * batchSize + member;
      return orderOf(Math.floor(drawn / count))[drawn % count]!;
    });
}

/**
 * The indices, each from 0 to `count` - 1, of the pictures of one step, without anything kept between calls.
 * @throws UsageError when `count` is not a positive whole number.
 */
export function batchIndices(seed: number, step: number, batchSize: number, count: number): number[] {
  return createBatchOrder(seed, count)(step, batchSize);
}
