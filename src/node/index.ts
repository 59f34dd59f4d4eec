/** What Fourstep adds in Node: models by folder, file or hub id, LoRA files, picture sets, workers. */

import "./no-telemetry.ts";

export { resolveFile, resolveModel } from "./hub/models.ts";
export { fetchSnapshot } from "./hub/snapshot.ts";
export { type LoraChoice, parseLoraChoice } from "./lora-choice.ts";
export { type LoraLibrary, loraLibrary } from "./lora-files.ts";
export { type LoraSwap, loraSwap } from "./lora-swap.ts";
export { openModelFolder, writeModelFolder } from "./model-folder.ts";
export {
  adaptedModel,
  type ChosenAdapter,
  type OpenedModel,
  openModel,
  readLoras,
  weightedAdapters,
  weightedTextAdapters,
} from "./open-model.ts";
export { openPictures } from "./open-pictures.ts";
export { parallelEngine } from "./parallel-engine.ts";
export { encodePng } from "./picture-files.ts";
export { openRunFolder } from "./run-folder.ts";
export { shippedModelFolder } from "./shipped-model.ts";
export { workerRuntime } from "./worker-runtime.ts";
