/**
 * Opens the shipped model, draws with it and disposes of it again and again; prints the resident memory after each round.
 *
 *     node --expose-gc --import tsx test/memory/draw-child.ts ROUNDS
 */
import { encodePrompt } from "../../src/generate/conditioning.ts";
import { createNetworks } from "../../src/generate/networks.ts";
import { naturalSize } from "../../src/generate/size.ts";
import { textToImage } from "../../src/generate/text-to-image.ts";
import { adaptedModel, openModel, readLoras } from "../../src/node/open-model.ts";
import { shippedModelFolder } from "../../src/node/shipped-model.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import { createSampler } from "../../src/samplers/registry.ts";

const collect = (globalThis as { readonly gc?: () => void }).gc;
if (collect === undefined) throw new Error("Run this with --expose-gc.");

const folder = shippedModelFolder();
const runtime = onnxRuntime({ threads: 1 });
const resident: number[] = [];
for (let round = 0; round < Number(process.argv[2]); round++) {
  const opened = await openModel(folder);
  const choices = [{ path: `${folder}/lora/lcm-lora.safetensors`, weight: 1 }];
  const model = await adaptedModel(opened, await readLoras(opened.files, choices));
  const networks = createNetworks(runtime, model);
  const prompt = { prompt: "a red apple", negativePrompt: "", guidanceScale: 1 };
  const request = {
    conditioning: await encodePrompt(networks, model, prompt),
    sampler: createSampler("lcm", { config: model.scheduler, steps: 1, strength: 1 }),
    size: naturalSize(model),
    seed: round,
    count: 1,
  };
  for await (const _ of textToImage(networks, model, request));
  await networks.dispose();
  await opened.folder.close();
  // Twice, with a turn of the loop between: buffers outside the heap are freed after what held them.
  collect();
  await new Promise((resolve) => setTimeout(resolve, 20));
  collect();
  resident.push(process.memoryUsage().rss);
}
await runtime.dispose();
process.stdout.write(JSON.stringify(resident));
