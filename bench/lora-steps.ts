/**
 * What weights that change with the steps would cost in two ways, with the shipped model: an exchange of merged weights
 * between two steps, or low-rank branches whose factors are given at each run. Medians of processor time, one thread.
 *
 * Run: node --import tsx bench/lora-steps.ts
 */
import { join } from "node:path";
import { adapterSlots } from "../src/adapters/slots.ts";
import { targetModules } from "../src/adapters/targets.ts";
import { createNetworks } from "../src/generate/networks.ts";
import { unetTable } from "../src/models/module-table.ts";
import type { LoraChoice } from "../src/node/lora-choice.ts";
import { loraSwap } from "../src/node/lora-swap.ts";
import { adaptedModel, openModel, readLoras, weightedAdapters } from "../src/node/open-model.ts";
import { shippedModelFolder } from "../src/node/shipped-model.ts";
import { onnxRuntime } from "../src/runtime/onnx-runtime.ts";
import { filled, float32 } from "../src/tensor/tensor.ts";

const rounds = 15;
const opened = await openModel(shippedModelFolder());
const runtime = onnxRuntime({ threads: 1 });
const model = await adaptedModel(opened, []);
const chosen = (style: number): LoraChoice[] =>
  Object.entries({ "lcm-lora": 1, "style-ink": style }).map(([name, weight]) => ({
    path: join(shippedModelFolder(), "lora", `${name}.safetensors`),
    weight,
  }));
const request = {
  latents: filled([1, model.autoencoder.config.latentChannels, 16, 16], 0.3),
  timesteps: float32([1], [499]),
  context: filled([model.tokenizer.maxLength, model.unet.config.contextWidth], 0.1),
};

/** The median of the processor's milliseconds. */
async function median(work: (round: number) => Promise<unknown>): Promise<string> {
  const costs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    await work(round);
    const { user, system } = process.cpuUsage(before);
    costs.push((user + system) / 1000);
  }
  return `${costs
    .sort((a, b) => a - b)
    [Math.floor(rounds / 2)]!.toFixed(1)
    .padStart(7)} ms`;
}

const networks = createNetworks(runtime, model);
const swap = loraSwap(opened, networks);
await swap.use(chosen(0.8));
await networks.predict(request);
console.log(`a step, merged:                ${await median(() => networks.predict(request))}`);
const exchanged = await median(async (round) => {
  await swap.use(chosen(round % 2 === 0 ? 0.2 : 0.8));
  await networks.predict(request);
});
console.log(`a step after an exchange:      ${exchanged}`);
const adapters = await readLoras(opened.files, chosen(0.8));
const rank = adapters.reduce((sum, { adapter }) => sum + adapter.rank, 0);
const slots = adapterSlots(targetModules(unetTable(model.unet.config).modules), rank);
const live = createNetworks(runtime, { ...model, unet: { ...model.unet, slots } });
slots.fill(weightedAdapters(adapters));
await live.predict(request);
console.log(`a step with branches, rank ${rank}: ${await median(() => live.predict(request))}`);
const filledAnew = await median(async (round) => {
  slots.fill(weightedAdapters(adapters.map((one) => ({ ...one, weight: round % 2 === 0 ? 0.2 : 0.8 }))));
  await live.predict(request);
});
console.log(`the same, all weights changed: ${filledAnew}`);
await runtime.dispose();
await opened.folder.close();
