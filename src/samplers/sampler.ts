import type { MixCoefficients } from "../diffusion/forward.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** The level of latents without noise. */
export const purePicture: MixCoefficients = { clean: 1, noise: 0 };

/** What one step of sampling gives. */
export interface SamplingStep {
  /** Number of the step, from 0. */
  readonly index: number;
  /** Timestep at which the network was asked, in training timesteps (a fraction for some samplers). */
  readonly timestep: number;
  /** Latents after the step; after the last one, the result. */
  readonly latents: Tensor<"float32">;
  /** The clean latents predicted in this step, for previews. */
  readonly denoised: Tensor<"float32">;
}

/** What a sampler asks of its caller. */
export interface SamplingInput {
  /** Where to start: unit noise times `initNoiseSigma`, or a picture mixed with noise by `levelAt(0)`; [batch, channels, height / 8, width / 8]. */
  readonly latents: Tensor<"float32">;
  /** The network's output (after guidance) for latents of the start's shape. */
  predict(latents: Tensor<"float32">, timestep: number): Promise<Tensor<"float32">>;
  /** Fresh unit noise of the latents' shape. */
  noise(): Tensor<"float32">;
  /**
   * Replaces the latents that step `index` is about to take, or the result; for inpainting's kept region.
   * @param level shares of clean picture and unit noise in them
   */
  amend?(latents: Tensor<"float32">, index: number, level: MixCoefficients): Tensor<"float32">;
}

/** A way from noise to a picture. */
export interface Sampler {
  readonly name: string;
  /** Timesteps from above, one network call (with guidance, two) each. */
  readonly timesteps: readonly number[];
  /**
   * Whether the sampler finds its steps as it goes, by the error it makes: then `timesteps` and `levelAt` know only its
   * start and its end, and how often the network was asked is known afterwards.
   */
  readonly adaptive?: boolean;
  /** Standard deviation of the latents to start from when there is no picture. */
  readonly initNoiseSigma: number;
  /** Shares of clean picture and unit noise in the latents that step `index` takes; for `timesteps.length`, in the result. */
  levelAt(index: number): MixCoefficients;
  /** Yields after each step; ends after the last. */
  sample(input: SamplingInput): AsyncGenerator<SamplingStep>;
}
