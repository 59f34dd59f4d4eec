import type { SchedulerConfig } from "../diffusion/scheduler-config.ts";

/** What a sampler is made from when it is chosen by name. */
export interface SamplerRequest {
  /** The model's `scheduler_config.json`; what it lacks is what diffusers' scheduler of that name assumes. */
  readonly config: SchedulerConfig;
  readonly steps: number;
  /** Image-to-image: the share of the noise to start from, in (0, 1]; 1 is from pure noise. */
  readonly strength: number;
}
