/**
 * Whether pictures of different prompts are faster in one network call: seconds a picture alone and in batches, interleaved,
 * each after a drawing that compiles what it needs. The server measures the same as it runs (`batchGauge`).
 *
 * Run: npm run bench:server-batches -- [--model models/fourstep-64] [--batches 2,4,8] [--steps 4] [--rounds 5] [--size 64]
 */
import { parseArgs } from "node:util";
import { encodePrompt } from "../src/generate/conditioning.ts";
import { createNetworks } from "../src/generate/networks.ts";
import { naturalSize } from "../src/generate/size.ts";
import { textToImage } from "../src/generate/text-to-image.ts";
import { ownLcmLora } from "../src/node/lora-files.ts";
import { adaptedModel, openModel, readLoras } from "../src/node/open-model.ts";
import { onnxRuntime } from "../src/runtime/onnx-runtime.ts";
import { createSampler } from "../src/samplers/registry.ts";

const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: "models/fourstep-64" },
    batches: { type: "string", default: "2,4,8" },
    steps: { type: "string", default: "4" },
    rounds: { type: "string", default: "5" },
    size: { type: "string" },
  },
});
const batches = [1, ...options.batches.split(",").map(Number)];
const most = Math.max(...batches);

const opened = await openModel(options.model);
const lora = await ownLcmLora(options.model);
const adapters = await readLoras(opened.files, lora === undefined ? [] : [{ path: lora, weight: 1 }]);
const model = await adaptedModel(opened, adapters);
const runtime = onnxRuntime();
const networks = createNetworks(runtime, model);
const sampler = createSampler("lcm", { config: model.scheduler, steps: Number(options.steps), strength: 1 });
const side = options.size === undefined ? undefined : Number(options.size);
const size = side === undefined ? naturalSize(model) : { width: side, height: side };
const subjects = ["a red apple", "a cat", "a house", "a green pear", "a dog", "a flower", "a car", "a tree"];
const conditioning = await Promise.all(
  Array.from({ length: most }, (_, i) =>
    encodePrompt(networks, model, { prompt: subjects[i % subjects.length]!, negativePrompt: "", guidanceScale: 1 }),
  ),
);

/** Seconds a picture when `most` pictures are drawn in batches. */
async function measure(batch: number): Promise<number> {
  const seed = conditioning.map((_, i) => i);
  const begin = performance.now();
  for await (const _ of textToImage(networks, model, { conditioning, sampler, size, seed, count: most, batch }));
  return (performance.now() - begin) / 1000 / most;
}

const seconds = new Map<number, number[]>(batches.map((batch) => [batch, []]));
for (const batch of batches) await measure(batch);
for (let round = 0; round < Number(options.rounds); round++) {
  for (const batch of batches) seconds.get(batch)!.push(await measure(batch));
}
const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!;
const alone = median(seconds.get(1)!);
process.stdout.write(
  `${model.name}, ${size.width}x${size.height}, ${options.steps} steps, medians of ${options.rounds}\n`,
);
for (const [batch, measured] of seconds) {
  const one = median(measured);
  process.stdout.write(
    `batch ${String(batch).padStart(2)}: ${one.toFixed(4)} s a picture, ${(alone / one).toFixed(2)} times as fast as alone\n`,
  );
}
await runtime.dispose();
await opened.folder.close();
