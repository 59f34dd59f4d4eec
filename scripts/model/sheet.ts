/**
 * Draws docs/sheet.png and docs/sheet.md: 24 prompts in three rows: the base with DDIM 32 and guidance, LCM-LoRA in 4 steps,
 * LCM-LoRA with a style in 4 steps; all from the same seeds.
 *
 *     node --import tsx scripts/model/sheet.ts [--model FOLDER] [--style NAME] [--seed N]
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { encodePrompt } from "../../src/generate/conditioning.ts";
import { createNetworks } from "../../src/generate/networks.ts";
import { toPixels } from "../../src/generate/pixels.ts";
import { naturalSize } from "../../src/generate/size.ts";
import { textToImage } from "../../src/generate/text-to-image.ts";
import { adaptedModel, openModel, readLoras } from "../../src/node/open-model.ts";
import { shippedModelFolder } from "../../src/node/shipped-model.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import { createSampler, type SamplerName } from "../../src/samplers/registry.ts";

/** Plain names and names with a style of the base, chosen before any was drawn. */
const prompts = [
  "a red apple",
  "a fox, flat style",
  "a rocket, cartoon style",
  "a guitar, retro style",
  "a strawberry",
  "a police car, flat style",
  "an owl, cartoon style",
  "a mushroom, retro style",
  "a sailboat",
  "a birthday cake, flat style",
  "a butterfly",
  "a castle, cartoon style",
  "a penguin",
  "an umbrella, flat style",
  "a pizza",
  "a dragon",
  "a sunflower, retro style",
  "a soccer ball",
  "a hammer, flat style",
  "a bear, cartoon style",
  "a helicopter",
  "a cactus, flat style",
  "a crown",
  "a ghost",
];

interface Row {
  readonly name: string;
  readonly loras: Readonly<Record<string, number>>;
  readonly sampler: SamplerName;
  readonly steps: number;
  readonly guidanceScale: number;
}

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    style: { type: "string", default: "3d" },
    seed: { type: "string", default: "0" },
  },
});
const folder = values.model ?? shippedModelFolder();
const rows: readonly Row[] = [
  { name: "base, DDIM, 32 steps, guidance 4", loras: {}, sampler: "ddim", steps: 32, guidanceScale: 4 },
  { name: "LCM-LoRA 1.0, 4 steps", loras: { "lcm-lora": 1 }, sampler: "lcm", steps: 4, guidanceScale: 1 },
  {
    name: `LCM-LoRA 1.0 + style ${values.style} 0.8, 4 steps`,
    loras: { "lcm-lora": 1, [`style-${values.style}`]: 0.8 },
    sampler: "lcm",
    steps: 4,
    guidanceScale: 1,
  },
];

/** Shows each picture at one and a half its size, twelve a line. */
const [shown, perLine] = [96, 12];
const runtime = onnxRuntime();
const opened = await openModel(folder);
const tiles: { input: Buffer; left: number; top: number }[] = [];
try {
  for (const [r, { loras, sampler: name, steps, guidanceScale }] of rows.entries()) {
    const choices = Object.entries(loras).map(([file, weight]) => ({
      path: join(folder, "lora", `${file}.safetensors`),
      weight,
    }));
    const model = await adaptedModel(opened, await readLoras(opened.files, choices));
    const networks = createNetworks(runtime, model);
    const sampler = createSampler(name, { config: opened.files.scheduler, steps, strength: 1 });
    for (const [i, prompt] of prompts.entries()) {
      const conditioning = await encodePrompt(networks, model, { prompt, negativePrompt: "", guidanceScale });
      const request = { conditioning, sampler, size: naturalSize(model), seed: Number(values.seed) + i, count: 1 };
      for await (const event of textToImage(networks, model, request)) {
        if (event.kind !== "picture") continue;
        const { data, width, height } = toPixels(event.pixels);
        const input = await sharp(data, { raw: { width, height, channels: 3 } })
          .resize(shown, shown, { kernel: "lanczos3" })
          .png()
          .toBuffer();
        const line = Math.floor(i / perLine);
        tiles.push({ input, left: (i % perLine) * shown, top: line * (rows.length * shown + 16) + r * shown });
      }
    }
    await networks.dispose();
  }
} finally {
  await runtime.dispose();
  await opened.folder.close();
}
const lines = prompts.length / perLine;
const canvas = {
  width: perLine * shown,
  height: lines * rows.length * shown + (lines - 1) * 16,
  channels: 3 as const,
  background: "#dddddd",
};
await sharp({ create: canvas }).composite(tiles).png().toFile("docs/sheet.png");
await writeFile(
  "docs/sheet.md",
  `# The sheet\n\nMade by \`npm run model:sheet\`. Rows, top to bottom, twice:\n\n${rows.map(({ name }, i) => `${i + 1}. ${name}`).join("\n")}\n\nPrompts, left to right, all from seed ${values.seed} on:\n\n${prompts.map((prompt, i) => `${i + 1}. ${prompt}`).join("\n")}\n\n![sheet](sheet.png)\n`,
);
