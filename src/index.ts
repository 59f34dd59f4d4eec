/**
 * Fourstep as a library, for Node and for browsers: graphs and gradients, models, samplers, adapters, drawing, training.
 * What needs Node (files, workers, training jobs) is in `fourstep/node`.
 */
export { type BlockWeights, parseBlockWeights } from "./adapters/block-weights.ts";
export { combineAdapters, mergeAdapters, type WeightedAdapter } from "./adapters/combine.ts";
export { countLora } from "./adapters/count.ts";
export { type LoadedAdapter, loadAdapter } from "./adapters/load.ts";
export { type LoraModule, loraDelta } from "./adapters/lora.ts";
export { loraRule } from "./adapters/lora-rule.ts";
export { type ChangeFactors, changesOf, mergedSource } from "./adapters/merged-source.ts";
export { saveAdapter } from "./adapters/save.ts";
export { type AdapterSlots, adapterSlots } from "./adapters/slots.ts";
export { parseStepWeights, type StepWeights } from "./adapters/step-weights.ts";
export { lcmLoraTargets } from "./adapters/targets.ts";
export { addTaskVectors, applyTaskVector, negateTaskVector, taskVector } from "./adapters/task-vector.ts";
export { backward } from "./autodiff/backward.ts";
export { pullback } from "./autodiff/pullback.ts";
export { recompute } from "./autodiff/recompute.ts";
export { type NoiseSchedule, stableDiffusionSchedule } from "./diffusion/schedule.ts";
export {
  AdapterError,
  CheckpointError,
  FormatError,
  FourstepError,
  RuntimeFailure,
  ShapeError,
  UsageError,
} from "./errors.ts";
export { type Infotext, infotextKeyword, parseInfotext } from "./formats/infotext.ts";
export { openTensorFile } from "./formats/open-tensor-file.ts";
export { readPngText, writePngText } from "./formats/png-text.ts";
export { decodeSafetensors, encodeSafetensors } from "./formats/safetensors.ts";
export type { TensorFile } from "./formats/tensor-file.ts";
export { readLocated, unwrapStateDict } from "./formats/tensor-file.ts";
export { type Acceleration, accelerationOfNames, publishedLcmLora } from "./generate/acceleration.ts";
export { encodePrompt, type Prompt, type PromptReading, plainReading } from "./generate/conditioning.ts";
export type { DrawingStep, DrawnPicture } from "./generate/drawing.ts";
export { imageToImage } from "./generate/image-to-image.ts";
export { inpainting } from "./generate/inpainting.ts";
export { type Model, modelFromFolder, unetFromFolder } from "./generate/model.ts";
export { createNetworks, type NetworkOptions, type Networks } from "./generate/networks.ts";
export { type Pixels, toPixels } from "./generate/pixels.ts";
export { type PlannedSampling, planSampling, type SamplingWishes } from "./generate/plan-sampling.ts";
export { type LoraTag, parseLoraTags, writeLoraTag } from "./generate/prompt/lora-tags.ts";
export { textToImage } from "./generate/text-to-image.ts";
export { encode, type OnnxModel } from "./graph/encode.ts";
export { constant, input, scalar, type Value } from "./graph/value.ts";
export { readDiffusersModel } from "./models/checkpoint/diffusers-folder.ts";
export { type Layers, layers, type ParameterSource } from "./models/layers.ts";
export { unet } from "./models/unet/unet.ts";
export { onnxRuntime } from "./runtime/onnx-runtime.ts";
export type { Device, Runtime, Session } from "./runtime/runtime.ts";
export { samplerNamed, samplerOfConfig, samplerTitles } from "./samplers/names.ts";
export { createSampler, type SamplerName, samplerNames } from "./samplers/registry.ts";
export type { SamplerChoices, SamplerRequest } from "./samplers/request.ts";
export type { Sampler, SamplingInput, SamplingStep } from "./samplers/sampler.ts";
export { Mt19937 } from "./tensor/random/mt19937.ts";
export { type DataType, filled, float32, int64, type Tensor } from "./tensor/tensor.ts";
export { denoiseBatch, denoiseLoss } from "./training/denoise.ts";
export { defaultOptimizerSettings, type TrainingEngine, type TrainingState } from "./training/engine.ts";
export { firstValues } from "./training/initialise.ts";
export { distillationBatch, distillationLoss } from "./training/lcd.ts";
export { fineTuningBatch, fineTuningLoss } from "./training/lcf.ts";
export { type TrainingRun, train } from "./training/loop.ts";
export { encodeObjective, layoutOf, type Objective } from "./training/objective.ts";
export { TrainableParameters } from "./training/parameters.ts";
export { loraPrefix } from "./training/roles.ts";
export { sessionEngine } from "./training/session-engine.ts";
export { adapterOf } from "./training/trained-adapter.ts";
