import type { PredictionType } from "./prediction.ts";
import { alphaBarAt, type NoiseSchedule } from "./schedule.ts";

/** Signal-to-noise ratio alpha_t^2 / sigma_t^2 at a whole timestep. */
export function signalToNoise(schedule: NoiseSchedule, timestep: number): number {
  const alphaBar = alphaBarAt(schedule, timestep);
  return alphaBar / (1 - alphaBar);
}

/**
 * Weight of a timestep's squared error, as min-SNR weighting (Hang et al. 2023) has it for what the network predicts.
 *
 * With m = min(snr, gamma): m / snr for epsilon, m / (snr + 1) for v, m for the sample itself. At a signal-to-noise
 * ratio of 0 (zero terminal SNR) epsilon's weight is its limit 1. The usual gamma is 5.
 *
 * `floor` bounds m from below, m = max(floor, min(snr, gamma)): at high noise an error of the noise is a far larger error
 * of the picture (1 / snr times), and it is there that a caption decides what is drawn. 0 leaves min-SNR as published.
 */
export function minSnrWeight(type: PredictionType, snr: number, gamma: number, floor = 0): number {
  const clipped = Math.max(floor, Math.min(snr, gamma));
  switch (type) {
    case "epsilon":
      return snr === 0 ? 1 : clipped / snr;
    case "v_prediction":
      return clipped / (snr + 1);
    case "sample":
      return clipped;
  }
}
