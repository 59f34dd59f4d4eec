import { UsageError } from "../../errors.ts";
import type { Acceleration } from "../../generate/plan.ts";
import type { DiffusersModel } from "../../models/checkpoint/diffusers-folder.ts";
import { isLcmLora, type LoraChoice, ownLcmLora, parseLoraChoice } from "../lora-files.ts";

/** What of a command line decides on LoRAs. */
export interface LoraWishes {
  /** `FILE[:weight]` each. */
  readonly lora?: readonly string[];
  /** Whether the model's own LCM-LoRA is used; by default, unless another sampler than lcm was asked for. */
  readonly lcm?: boolean;
  readonly sampler?: string;
}

/**
 * The LoRAs to use: the model's own LCM-LoRA first, unless it is not wanted or another was given, then those given.
 * @throws UsageError when a file is missing, or the model has no LCM-LoRA of its own and it was asked for
 */
export function chooseLoras(modelFolder: string, { lora = [], lcm, sampler }: LoraWishes): readonly LoraChoice[] {
  const given = lora.map((text) => parseLoraChoice(text, modelFolder));
  const wanted = lcm ?? (sampler === undefined || sampler === "lcm");
  if (!wanted || given.some(({ path }) => isLcmLora(path))) return given;
  const own = ownLcmLora(modelFolder);
  if (own !== undefined) return [{ path: own, weight: 1 }, ...given];
  if (lcm === true) {
    throw new UsageError(
      `${modelFolder}: --lcm was given, but there is no lora/lcm-lora.safetensors; give it with --lora.`,
    );
  }
  return given;
}

/** What makes a model draw in few steps, with these LoRAs. */
export function accelerationOf(
  { unet, scheduler }: Pick<DiffusersModel, "unet" | "scheduler">,
  loras: readonly LoraChoice[],
): Acceleration {
  if (unet.config.guidanceWidth !== undefined) return "full";
  const { _class_name: schedulerClass } = scheduler;
  // A model that an LCM-LoRA was merged into comes with the scheduler for it.
  if (schedulerClass === "LCMScheduler") return "lcm-lora";
  return loras.some(({ path, weight }) => weight !== 0 && isLcmLora(path)) ? "lcm-lora" : "none";
}
