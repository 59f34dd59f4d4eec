import type { DiffusersModel } from "../models/checkpoint/diffusers-folder.ts";
import type { SamplerName } from "../samplers/registry.ts";
import type { SamplerChoices } from "../samplers/request.ts";

/**
 * What makes a model draw in few steps: nothing, an acceleration vector (LCM-LoRA), its own full distillation, which takes
 * the guidance as an input, or a LoRA of another distillation with the settings that its authors state.
 */
export type Acceleration = "none" | "lcm-lora" | "full" | DistilledLora;

/** A LoRA of another distillation than LCM's, and how its authors sample with it. */
export interface DistilledLora {
  /** What it is, with its article. */
  readonly title: string;
  readonly sampler: SamplerName;
  readonly choices: SamplerChoices;
  readonly steps: number;
  /** 1 is off, which the authors write as 0. */
  readonly guidanceScale: number;
}

/** A LoRA that accelerates. */
export type AcceleratingLora = "lcm-lora" | DistilledLora;

/** What the model card of a family of LoRAs states; the steps are part of their names. */
interface Recipe {
  readonly name: RegExp;
  readonly lora: (steps: number) => DistilledLora;
}

const recipes: readonly Recipe[] = [
  // https://huggingface.co/h1t/TCD-SDXL-LoRA: TCDScheduler, eta 0.3.
  {
    name: /(?:^|[^a-z])tcd(?:[^a-z]|$)/i,
    lora: () => ({ title: "a TCD-LoRA", sampler: "tcd", choices: { eta: 0.3 }, steps: 4, guidanceScale: 1 }),
  },
  // https://huggingface.co/ByteDance/Hyper-SD: the one for a step is for TCDScheduler with an eta of 1; those that keep
  // guidance support 5 to 8; the others are for DDIM with trailing timesteps.
  {
    name: /hyper-?sd(?:15|xl)?[-_]1-?steps?[-_]lora/i,
    lora: (steps) => ({ title: "a Hyper-SD LoRA", sampler: "tcd", choices: { eta: 1 }, steps, guidanceScale: 1 }),
  },
  {
    name: /hyper-?sd(?:15|xl)?[-_](\d+)-?steps?[-_]cfg[-_]lora/i,
    lora: (steps) => ({
      title: "a Hyper-SD LoRA that keeps guidance",
      sampler: "ddim",
      choices: { spacing: "trailing" },
      steps,
      guidanceScale: 5,
    }),
  },
  {
    name: /hyper-?sd(?:15|xl)?[-_](\d+)-?steps?[-_]lora/i,
    lora: (steps) => ({
      title: "a Hyper-SD LoRA",
      sampler: "ddim",
      choices: { spacing: "trailing" },
      steps,
      guidanceScale: 1,
    }),
  },
  // https://huggingface.co/ByteDance/SDXL-Lightning: EulerDiscreteScheduler with trailing timesteps.
  {
    name: /sdxl[-_]lightning[-_](\d+)-?steps?[-_]lora/i,
    lora: (steps) => ({
      title: "an SDXL-Lightning LoRA",
      sampler: "euler",
      choices: { spacing: "trailing" },
      steps,
      guidanceScale: 1,
    }),
  },
];

/** What a LoRA accelerates by, as one of its names says (of its file, its repository or in its metadata); else undefined. */
export function accelerationOfNames(names: readonly string[]): AcceleratingLora | undefined {
  for (const name of names) {
    if (/(?:^|[^a-z])lcm(?:[^a-z]|$)/i.test(name)) return "lcm-lora";
    for (const recipe of recipes) {
      const [found, steps = "1"] = recipe.name.exec(name) ?? [];
      if (found !== undefined) return recipe.lora(Number(steps));
    }
  }
  return undefined;
}

/** The metadata that say what a LoRA is called: of sd-scripts, and of the model specification. */
const titleFields = ["ss_output_name", "modelspec.title"] as const;

/** What a LoRA is called in its own metadata, then what it was added up from: a sum with an LCM-LoRA in it accelerates. */
export function namesInMetadata(metadata: ReadonlyMap<string, string>): string[] {
  const summands = (metadata.get("modelspec.merged_from") ?? "").split(", ").filter((summand) => summand !== "");
  return [
    ...titleFields.flatMap((field) => metadata.get(field) ?? []),
    ...summands
      .filter((summand) => !/:(?:-|0(?:\.0*)?$)/.test(summand))
      .map((summand) => summand.replace(/:[^:]*$/, "")),
  ];
}

/** Where the LCM-LoRA of a family lies on the hub, by the family's name. */
const publishedLcmLoras: Readonly<Record<string, string>> = {
  "Stable Diffusion 1.5": "latent-consistency/lcm-lora-sdv1-5",
  "Stable Diffusion XL": "latent-consistency/lcm-lora-sdxl",
  "SSD-1B": "latent-consistency/lcm-lora-ssd-1b",
};

/** The published LCM-LoRA of a family of models; undefined where there is none, as for Stable Diffusion 2.1. */
export function publishedLcmLora(family: string): string | undefined {
  return Object.hasOwn(publishedLcmLoras, family) ? publishedLcmLoras[family] : undefined;
}

/** What makes a model draw in few steps: what it is itself, or else a LoRA that accelerates, if one is used. */
export function accelerationOfModel(
  { unet, scheduler }: Pick<DiffusersModel, "unet" | "scheduler">,
  lora: AcceleratingLora | undefined,
): Acceleration {
  if (unet.config.guidanceWidth !== undefined) return "full";
  const { _class_name: schedulerClass } = scheduler;
  // A model that an LCM-LoRA was merged into comes with the scheduler for it.
  return schedulerClass === "LCMScheduler" ? "lcm-lora" : (lora ?? "none");
}
