import { betaQuantile } from "./beta-quantile.ts";
import { karrasLevels } from "./karras.ts";

/**
 * How noise levels lie between the highest and the lowest: at the spaced timesteps ("schedule"), evenly in their seventh
 * root ("karras"), evenly in their logarithm ("exponential", and "lu", which rounds the timesteps where the first cuts
 * them), or at quantiles of the beta distribution (Lee et al. 2024).
 */
export type LevelSpacing = "schedule" | "karras" | "exponential" | "lu" | "beta";

/** Every spacing of noise levels. */
export const levelSpacings: readonly LevelSpacing[] = ["schedule", "karras", "exponential", "lu", "beta"];

const betaShape = 0.6;

/**
 * Noise levels from the highest to the lowest, both included where there are two or more.
 * @param count how many, at least 1
 */
export function spreadLevels(
  spacing: Exclude<LevelSpacing, "schedule">,
  highest: number,
  lowest: number,
  count: number,
): readonly number[] {
  if (spacing === "karras") return karrasLevels(highest, lowest, count);
  const from = Math.log(highest);
  const to = Math.log(lowest);
  return Array.from({ length: count }, (_, i) => {
    const share = count === 1 ? 0 : i / (count - 1);
    if (spacing === "beta") return lowest + betaQuantile(betaShape, 1 - share) * (highest - lowest);
    return Math.exp(from + share * (to - from));
  });
}
