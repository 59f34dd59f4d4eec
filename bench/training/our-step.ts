/** Times this project's training step of the network in network.json. Run by run.ts; prints one JSON line. */
import { readFile } from "node:fs/promises";
import { stableDiffusionSchedule } from "../../src/diffusion/schedule.ts";
import { clipTextConfig } from "../../src/models/clip.ts";
import { unetConfig } from "../../src/models/unet/config.ts";
import { parallelEngine } from "../../src/node/parallel-engine.ts";
import { counterNormal } from "../../src/tensor/random/counter.ts";
import { float32, int64 } from "../../src/tensor/tensor.ts";
import { baseObjective } from "../../src/training/base.ts";
import { denoiseBatch } from "../../src/training/denoise.ts";
import { defaultOptimizerSettings } from "../../src/training/engine.ts";
import { firstValues } from "../../src/training/initialise.ts";
import { encodeObjective, layoutOf } from "../../src/training/objective.ts";

const settings = JSON.parse(await readFile(new URL("./network.json", import.meta.url), "utf8"));
const workers = Number(process.argv[2] ?? 2);
const batch: number = settings.batch / workers;
const { size, tokens } = settings;
const unet = unetConfig(settings.unet);
const objective = baseObjective({ unet, text: clipTextConfig(settings.text), batch, size });
const initial = firstValues(objective.parameters, 0);
const engine = await parallelEngine(
  encodeObjective(objective),
  layoutOf(objective),
  initial,
  defaultOptimizerSettings,
  workers,
);
const noise = {
  schedule: stableDiffusionSchedule(),
  prediction: "epsilon",
  minSnrGamma: 0,
  snrFloor: 0,
  seed: 0,
} as const;
const shape = [unet.inChannels, batch, size, size];
const latents = float32(
  shape,
  counterNormal(
    0,
    "latents",
    0,
    shape.reduce((a, b) => a * b),
  ),
);
const ids = int64(
  [batch, tokens],
  Array.from({ length: batch * tokens }, (_, i) => (i * 7) % 1000),
);
const step = async (index: number): Promise<number> => {
  const start = performance.now();
  const batches = Array.from({ length: workers }, (_, part) => denoiseBatch(noise, latents, ids, index, part));
  await engine.step({ step: index, rate: 1e-4, batches });
  return (performance.now() - start) / 1000;
};
for (let i = 0; i < settings.warmUp; i++) await step(i);
const seconds: number[] = [];
for (let i = 0; i < settings.steps; i++) seconds.push(await step(settings.warmUp + i));
await engine.dispose();
console.log(JSON.stringify({ seconds, parameters: initial.length }));
