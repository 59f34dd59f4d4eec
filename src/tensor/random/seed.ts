import { UsageError } from "../../errors.ts";

/**
 * The two 32-bit words of a seed.
 * @throws UsageError when the seed is not a whole number from 0 to 2^53 - 1
 */
export function seedWords(seed: number): { readonly low: number; readonly high: number } {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new UsageError(`The seed is ${seed}, but it must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}.`);
  }
  return { low: seed >>> 0, high: Math.floor(seed / 2 ** 32) };
}
