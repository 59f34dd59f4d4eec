import { join } from "node:path";
import { mergeAdapters } from "../../adapters/combine.ts";
import type { SchedulerConfig } from "../../diffusion/scheduler-config.ts";
import { encodeDiffusersFolder } from "../../models/checkpoint/encode-folder.ts";
import type { UNetConfig } from "../../models/unet/config.ts";
import { parametersAsFiles } from "../../training/initialise.ts";
import type { Objective } from "../../training/objective.ts";
import { unetPrefix } from "../../training/roles.ts";
import { writeModelFolder } from "../model-folder.ts";
import { adapterOf, writeAdapter } from "./adapter-file.ts";
import { contentsOf, type MemoryModel, type Weights } from "./memory-model.ts";
import type { Described } from "./model-configs.ts";

/** Names of results in a run's folder. */
export const outcomeFiles = { model: "model", adapter: "adapter.safetensors" } as const;
/** Names of the newest weights, where the results are those that were measured best. */
export const lastFiles = { model: "model-last", adapter: "adapter-last.safetensors" } as const;

/** What becomes of a run's weights: of its flat vector, as training stores it. */
export interface Outcome {
  /** The model to draw with. */
  modelOf(weights: Float32Array): MemoryModel;
  /** Writes the result into the run's folder, or `last` beside it. Returns its path. */
  write(weights: Float32Array, as: "result" | "last"): Promise<string>;
}

const fileOf = (part: keyof typeof outcomeFiles, as: "result" | "last"): string =>
  (as === "result" ? outcomeFiles : lastFiles)[part];

/** An adapter over a base, as one file. @param scheduler of the model to draw with */
export function adapterOutcome(
  base: MemoryModel,
  { parameters }: Objective,
  alpha: number,
  scheduler: SchedulerConfig,
  folder: string,
): Outcome {
  return {
    modelOf(weights) {
      const modules = adapterOf(parameters, weights, alpha);
      // All of the base is float32 in memory, and merging keeps the type.
      const tensors = mergeAdapters(base.unet.tensors, [{ lambda: 1, modules }]) as unknown as Weights;
      return { ...base, scheduler, unet: { ...base.unet, tensors } };
    },
    async write(weights, as) {
      const path = join(folder, fileOf("adapter", as));
      await writeAdapter(path, adapterOf(parameters, weights, alpha));
      return path;
    },
  };
}

/** A whole model, as a folder of diffusers. */
export function modelOutcome(modelOf: Outcome["modelOf"], folder: string): Outcome {
  return {
    modelOf,
    async write(weights, as) {
      const path = join(folder, fileOf("model", as));
      await writeModelFolder(path, encodeDiffusersFolder(contentsOf(modelOf(weights))));
      return path;
    },
  };
}

/** A model of which the U-Net was trained and the other parts are those of a base. */
export function unetOutcome(
  base: MemoryModel,
  { parameters }: Objective,
  unet: Described<UNetConfig>,
  scheduler: SchedulerConfig,
  folder: string,
): Outcome {
  return modelOutcome(
    (weights) => ({
      ...base,
      scheduler,
      unet: { ...unet, tensors: parametersAsFiles(parameters, weights, unetPrefix) },
    }),
    folder,
  );
}
