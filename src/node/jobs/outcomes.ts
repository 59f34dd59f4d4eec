import { join } from "node:path";
import { mergeAdapters } from "../../adapters/combine.ts";
import type { SchedulerConfig } from "../../diffusion/scheduler-config.ts";
import { encodeDiffusersFolder } from "../../models/checkpoint/encode-folder.ts";
import type { UNetConfig } from "../../models/unet/config.ts";
import type { TrainingState } from "../../training/engine.ts";
import { parametersAsFiles } from "../../training/initialise.ts";
import type { Objective } from "../../training/objective.ts";
import { unetPrefix } from "../../training/roles.ts";
import { writeModelFolder } from "../model-folder.ts";
import { adapterOf, writeAdapter } from "./adapter-file.ts";
import { resultOf } from "./context.ts";
import { contentsOf, type MemoryModel, type Weights } from "./memory-model.ts";
import type { Described } from "./model-configs.ts";

/** Names of results in a run's folder. */
export const outcomeFiles = { model: "model", adapter: "adapter.safetensors" } as const;

/** What becomes of a run's numbers. */
export interface Outcome {
  /** The model to draw with. */
  modelOf(state: TrainingState): MemoryModel;
  /** Writes the result into the run's folder. Returns its path. */
  write(state: TrainingState): Promise<readonly string[]>;
}

/** An adapter over a base, as one file. @param scheduler of the model to draw with */
export function adapterOutcome(
  base: MemoryModel,
  { parameters }: Objective,
  alpha: number,
  scheduler: SchedulerConfig,
  folder: string,
): Outcome {
  return {
    modelOf(state) {
      const modules = adapterOf(parameters, resultOf(state), alpha);
      // All of the base is float32 in memory, and merging keeps the type.
      const tensors = mergeAdapters(base.unet.tensors, [{ lambda: 1, modules }]) as unknown as Weights;
      return { ...base, scheduler, unet: { ...base.unet, tensors } };
    },
    async write(state) {
      const path = join(folder, outcomeFiles.adapter);
      await writeAdapter(path, adapterOf(parameters, resultOf(state), alpha));
      return [path];
    },
  };
}

/** A whole model, as a folder of diffusers. */
export function modelOutcome(modelOf: Outcome["modelOf"], folder: string): Outcome {
  return {
    modelOf,
    async write(state) {
      const path = join(folder, outcomeFiles.model);
      await writeModelFolder(path, encodeDiffusersFolder(contentsOf(modelOf(state))));
      return [path];
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
    (state) => ({
      ...base,
      scheduler,
      unet: { ...unet, tensors: parametersAsFiles(parameters, resultOf(state), unetPrefix) },
    }),
    folder,
  );
}
