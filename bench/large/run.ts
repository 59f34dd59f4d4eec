/**
 * A picture by a large model in its true shapes, random weights: seconds and memory of the command line, from its start.
 *
 *     npm run bench:large -- [--family sdxl] [--size 1024x1024] [--steps 4] [--data ../shared/data] [-- more of generate's]
 *
 * The model is made once, in runs/bench-large (float32: 14 GB for SDXL). Needs `npm run build`, and CLIP's vocabulary in
 * DATA/clip. The picture shows nothing; it is looked at only for numbers that are no numbers.
 */
import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { ssd1b } from "../../src/models/checkpoint/families/ssd-1b.ts";
import { stableDiffusion1 } from "../../src/models/checkpoint/families/stable-diffusion-1.ts";
import { stableDiffusionXl } from "../../src/models/checkpoint/families/stable-diffusion-xl.ts";
import { allocatorSettings } from "../../src/node/allocator.ts";
import { writeRandomModel } from "./random-model.ts";
import { watchProcess } from "./watch-process.ts";

const families = { sd15: stableDiffusion1, "ssd-1b": ssd1b, sdxl: stableDiffusionXl } as const;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    family: { type: "string", default: "sdxl" },
    size: { type: "string", default: "1024x1024" },
    steps: { type: "string", default: "4" },
    data: { type: "string", default: "../shared/data" },
  },
});
const family = families[values.family as keyof typeof families];
if (family === undefined) throw new Error(`--family must be one of ${Object.keys(families).join(", ")}.`);

const root = resolve("runs/bench-large");
await mkdir(root, { recursive: true });
const model = `${root}/${values.family}`;
await writeRandomModel(family, model, `${values.data}/clip`);
const words = ["generate", "a lighthouse at dusk", "--model", model, "--size", values.size, "--steps", values.steps];
const args = ["dist/cli/main.js", ...words, "--sampler", "lcm", "--guidance", "1", "--seed", "0", "--json"];
const { output, seconds, peak, peakPrivate } = await watchProcess(
  process.execPath,
  [...args, "--out", `${root}/pictures`, ...positionals],
  { ...process.env, ...allocatorSettings },
);
const { networkCalls } = JSON.parse(output) as { readonly networkCalls: number };
const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
console.log(
  `${family.name} at ${values.size}, ${networkCalls} calls, float32: ${seconds.toFixed(1)} s from start to end; ` +
    `${gib(peak)} resident at most, ${gib(peakPrivate)} without mapped files.`,
);
