/** What Fourstep adds in Node: model folders, LoRA files, picture sets, workers. */
export { openModelFolder, writeModelFolder } from "./model-folder.ts";
export { adaptedModel, openModel, readLoras } from "./open-model.ts";
export { openPictures } from "./open-pictures.ts";
export { parallelEngine } from "./parallel-engine.ts";
export { openRunFolder } from "./run-folder.ts";
export { workerRuntime } from "./worker-runtime.ts";
