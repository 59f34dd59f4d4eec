/** Teaches a model one picture: a LoRA, a loss, and a loop of one's own around the engine. */
import * as fourstep from "fourstep";
import { openModel } from "fourstep/node";

const lora = { rank: 4, alpha: 4, targets: ["to_q", "to_k", "to_v", "to_out.0"], form: "branch" } as const;

/** @param picture `[1, 3, height, width]` in [-1, 1] @returns the LoRA as a safetensors file, and the loss of each step */
export async function trainLora(folder: string, picture: fourstep.Tensor<"float32">, prompt: string, steps: number) {
  const opened = await openModel(folder);
  const runtime = fourstep.onnxRuntime();
  // Without a folder, weights are held in memory.
  const model = await fourstep.modelFromFolder(opened.files, { folder: undefined });
  const networks = fourstep.createNetworks(runtime, model);
  const { mean } = await networks.encode(picture);
  const text = await fourstep.encodePrompt(networks, model, { prompt, negativePrompt: "", guidanceScale: 1 });

  // Layers that are asked for by these names get a low-rank branch, whose factors are what trains.
  const trainable = new fourstep.TrainableParameters();
  const layers = fourstep.layers(model.unet.source, fourstep.loraRule(trainable.source(fourstep.loraPrefix), lora));
  const shape = { batch: 1, size: mean.shape[2]!, tokens: 1 };
  const context = fourstep.constant(text.conditional.context);
  const loss = fourstep.denoiseLoss(layers, model.unet.config, () => context, shape);
  const objective: fourstep.Objective = { loss, metrics: {}, parameters: trainable.list() };
  const first = fourstep.firstValues(objective.parameters, 1);
  const settings = fourstep.defaultOptimizerSettings;
  const step = fourstep.encodeObjective(objective);
  const engine = await fourstep.sessionEngine(runtime, step, fourstep.layoutOf(objective), first, settings);

  const noise = {
    schedule: fourstep.stableDiffusionSchedule(),
    prediction: "epsilon",
    minSnrGamma: 5,
    snrFloor: 0,
    seed: 1,
  } as const;
  const latents = { ...mean, shape: [mean.shape[1]!, 1, mean.shape[2]!, mean.shape[3]!] };
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    const batch = fourstep.denoiseBatch(noise, latents, fourstep.int64([1, 1], [0]), i, 0);
    losses.push((await engine.step({ step: i, rate: 1e-3, batches: [batch] })).loss);
  }
  const { parameters } = await engine.state();
  await runtime.dispose();
  await opened.folder.close();
  return { file: fourstep.saveAdapter(fourstep.adapterOf(objective.parameters, parameters, lora.alpha)), losses };
}
