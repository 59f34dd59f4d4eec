import type { MixCoefficients } from "../diffusion/forward.ts";
import type { Tensor } from "../tensor/tensor.ts";

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
  /** Replaces the latents that step `index` is about to take, or the result; for inpainting's kept region. */
  amend?(latents: Tensor<"float32">, index: number): Tensor<"float32">;
}

/** A way from noise to a picture in a fixed number of network calls, one a timestep. */
export interface Sampler {
  readonly name: string;
  /** Descending timesteps, one network call (with guidance, two) each. */
  readonly timesteps: readonly number[];
  /** Standard deviation of the latents to start from when there is no picture. */
  readonly initNoiseSigma: number;
  /** Shares of clean picture and unit noise in the latents that step `index` takes; for `timesteps.length`, in the result. */
  levelAt(index: number): MixCoefficients;
  /** Yields after each step; ends after the last. */
  sample(input: SamplingInput): AsyncGenerator<SamplingStep>;
}
