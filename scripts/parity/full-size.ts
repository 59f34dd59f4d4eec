/**
 * Compares every network of the published families, at its true size and with random weights, with diffusers and
 * transformers, one after the other; writes docs/parity.md. See `--help`.
 */
import { execFileSync } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { Command } from "commander";
import type { JsonObject } from "../../src/formats/json.ts";
import { modelFamilies } from "../../src/models/checkpoint/families/index.ts";
import type { PartResult } from "./run-part.ts";

const program = new Command("parity:full")
  .argument("[families...]", "sd1, sd2, ssd-1b, sdxl", ["sd1", "sd2", "ssd-1b", "sdxl"])
  .option("--python <path>", "a Python with torch, diffusers and transformers", "python3")
  .option("--parts <names>", "of unet, vae, text_encoder, text_encoder_2; separated by commas")
  .option("--latents <side>", "side of the U-Net's latents; that of the family's own pictures unless given")
  .option("--page", "only write the page anew, from the figures in runs/parity")
  .option("--keep", "leave the weights in runs/parity")
  .parse();

const keys: Readonly<Record<string, string>> = {
  sd1: "Stable Diffusion 1",
  sd2: "Stable Diffusion 2",
  "ssd-1b": "SSD-1B",
  sdxl: "Stable Diffusion XL",
};
const root = "runs/parity";
/** Latents of the autoencoder: a modest picture of 256 pixels, since all its layers work on any. */
const autoencoderSide = 32;

interface Row extends PartResult {
  readonly family: string;
  readonly part: string;
  readonly side: number | undefined;
}

interface Part {
  readonly name: string;
  readonly class: string;
  readonly config: JsonObject;
  readonly side: number | undefined;
}

const {
  python,
  parts: wanted,
  latents,
  keep,
  page: pageOnly,
} = program.opts<{
  python: string;
  parts?: string;
  latents?: string;
  keep?: true;
  page?: true;
}>();

function partsOf(key: string, names: string | undefined): Part[] {
  const family = modelFamilies.find(({ name }) => name.startsWith(keys[key] ?? "-"));
  if (family === undefined) throw new Error(`${key}: one of ${Object.keys(keys).join(", ")} was expected`);
  const { unet, autoencoder, textEncoders } = family;
  const side = latents === undefined ? Number(unet["sample_size"] ?? 64) : Number(latents);
  const all: Part[] = [
    ...textEncoders.map(({ config }, i) => ({
      name: i === 0 ? "text_encoder" : "text_encoder_2",
      class: (config["architectures"] as readonly string[])[0]!,
      config,
      side: undefined,
    })),
    { name: "vae", class: "AutoencoderKL", config: autoencoder, side: autoencoderSide },
    { name: "unet", class: "UNet2DConditionModel", config: unet, side },
  ];
  return names === undefined ? all : all.filter(({ name }) => names.split(",").includes(name));
}

async function compare(key: string, part: Part): Promise<Row> {
  const folder = `${root}/${key}/${part.name}`;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  try {
    await writeFile(`${folder}/config.json`, JSON.stringify(part.config));
    const run = (program: string, args: readonly string[]): string =>
      execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], maxBuffer: 2 ** 26 });
    run(python, ["scripts/parity/full-size.py", folder, part.class, String(part.side ?? 0)]);
    const ours = run(process.execPath, ["--import", "tsx", "scripts/parity/run-part.ts", folder, part.class]);
    const result = JSON.parse(ours.trim().split("\n").at(-1)!) as PartResult;
    return { family: keys[key]!, part: part.name, side: part.side, ...result };
  } finally {
    if (keep === undefined) await rm(folder, { recursive: true, force: true });
  }
}

const resultFile = `${root}/results.json`;
const earlier = JSON.parse(await readFile(resultFile, "utf8").catch(() => "[]")) as Row[];
const rows = new Map(earlier.map((row) => [`${row.family} ${row.part}`, row]));
const chosen = pageOnly === undefined ? (program.processedArgs[0] as readonly string[]) : [];
if (pageOnly !== undefined) await writeFile("docs/parity.md", page([...rows.values()]));
for (const key of chosen) {
  for (const part of partsOf(key, wanted)) {
    const row = await compare(key, part);
    rows.set(`${row.family} ${row.part}`, row);
    console.log(JSON.stringify(row));
    await writeFile(resultFile, `${JSON.stringify([...rows.values()], undefined, 2)}\n`);
    await writeFile("docs/parity.md", page([...rows.values()]));
  }
}

function page(all: readonly Row[]): string {
  const order = Object.values(keys);
  const sorted = [...all].sort((a, b) => order.indexOf(a.family) - order.indexOf(b.family));
  const missing = Object.keys(keys).flatMap((key) =>
    partsOf(key, undefined)
      .filter(({ name }) => !all.some(({ family, part }) => family === keys[key] && part === name))
      .map(({ name }) => `${keys[key]} ${name}`),
  );
  const lines = sorted.map((row) => {
    const largest = Object.entries(row.errors).map(([name, error]) => `${name} ${error.toExponential(1)}`);
    const cells = [
      row.family,
      row.part,
      row.parameters.toLocaleString("en"),
      row.side === undefined ? "" : `${row.side} x ${row.side}`,
      largest.join(", "),
      row.theirSeconds.toFixed(1),
      row.ourSeconds.toFixed(1),
      row.compileSeconds.toFixed(1),
      row.peakGib.toFixed(1),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const head = [
    "family",
    "network",
    "parameters",
    "latents",
    "largest error of each output, over its largest value",
    "torch, s",
    "ours, s",
    "ours: compile, s",
    "ours: peak memory, GiB",
  ];
  return `# Parity at full size

Every network of the published families, at its true size in float32 with random weights (seed 0), run once by diffusers and
transformers and once here, from the same files. A small network of each family, with all its peculiarities, is compared at
every test run (\`test/parity/families.test.ts\`, at 1e-4). This page is written by

\`\`\`sh
npm run parity:full -- --python PYTHON [sd1 sd2 ssd-1b sdxl] [--parts unet,vae,…] [--latents 64]
\`\`\`

where PYTHON is one with torch, diffusers and transformers (${[...new Set(all.map(({ versions }) => versions))].join("; ")}).
Weights are deleted after use; the largest, of the U-Net of SDXL, take 10.3 GB of disk and of memory. The seconds are
of one first run on a machine that had other work to do: they are no benchmark.

| ${head.join(" | ")} |
|${head.map(() => "---").join("|")}|
${lines.join("\n")}
${missing.length === 0 ? "" : `\nNot compared yet: ${missing.join(", ")}.\n`}`;
}
