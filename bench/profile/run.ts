/**
 * Where the time of the U-Net and of the decoder goes, operation by operation, beside the processor's peak.
 *
 *     npm run bench:profile -- [--model runs/bench-peers/sd15] [--size 512] [--parts unet,vae,text] [--markdown FILE]
 *
 * The model is a folder as diffusers writes it; the default is the one that `npm run bench:peers` makes. With --layouts
 * yes or no, --without (names of the runtime's optimiser passes) and --no-prepack the same is measured under other settings.
 */
import { writeFile } from "node:fs/promises";
import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { encodePrompt } from "../../src/generate/conditioning.ts";
import { createNetworks } from "../../src/generate/networks.ts";
import { latentSize } from "../../src/generate/size.ts";
import { openAutoencoder, withAutoencoder } from "../../src/node/open-autoencoder.ts";
import { adaptedModel, openModel } from "../../src/node/open-model.ts";
import { counterNormal } from "../../src/tensor/random/counter.ts";
import { float32 } from "../../src/tensor/tensor.ts";
import { matrixPeak } from "../peak.ts";
import { type ProfilingOptions, profilingRuntime } from "./profiling-runtime.ts";
import { profileTables } from "./table.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "runs/bench-peers/sd15" },
    vae: { type: "string" },
    size: { type: "string", default: "512" },
    parts: { type: "string", default: "unet,vae" },
    runs: { type: "string", default: "2" },
    shapes: { type: "string", default: "20" },
    threads: { type: "string", default: String(availableParallelism()) },
    layouts: { type: "string" },
    without: { type: "string", default: "" },
    "no-prepack": { type: "boolean", default: false },
    markdown: { type: "string" },
  },
});
const [size, runs, threads] = [values.size, values.runs, values.threads].map(Number) as [number, number, number];

const opened = await openModel(values.model);
const whole = await adaptedModel(opened, []);
const other = values.vae === undefined ? undefined : await openAutoencoder(values.vae, whole.autoencoder);
const model = other === undefined ? whole : withAutoencoder(whole, other);
const options: ProfilingOptions = {
  threads,
  prepack: !values["no-prepack"],
  layouts: values.layouts === undefined ? undefined : values.layouts === "yes",
  disabledOptimizers: values.without.split(",").filter((name) => name !== ""),
};
const [height, width] = latentSize(model, { width: size, height: size });
const normal = (name: string, of: readonly number[]) =>
  float32(
    of,
    counterNormal(
      0,
      name,
      0,
      of.reduce((a, b) => a * b),
    ),
  );
const channels = model.unet.config.inChannels;

const peak = await matrixPeak(threads);
const pages = [
  `${values.model} at ${size}x${size}, ${threads} threads on ${cpus()[0]?.model.trim()}; peak ${peak.toFixed(0)} GFLOP/s (product of 2048 x 2048 matrices).`,
];
for (const part of values.parts.split(",")) {
  const runtime = profilingRuntime(options);
  const networks = createNetworks(runtime, model);
  const seconds: number[] = [];
  let call: () => Promise<unknown>;
  if (part === "vae") {
    const latents = normal("latents", [1, model.autoencoder.config.latentChannels, height, width]);
    call = () => networks.decode(latents);
  } else if (part === "text") {
    call = () => encodePrompt(networks, model, { prompt: "a red apple", negativePrompt: "", guidanceScale: 1 });
  } else {
    const context = normal("context", [77, model.unet.config.contextWidth]);
    const latents = normal("latents", [1, channels, height, width]);
    call = () => networks.predict({ latents, timesteps: float32([1], [499]), context });
  }
  for (let i = 0; i <= runs; i++) {
    const start = performance.now();
    await call();
    seconds.push((performance.now() - start) / 1000);
  }
  const { kernels, microseconds } = await runtime.lastRun();
  await networks.dispose();
  const warm = seconds.slice(1).map((s) => s.toFixed(2));
  pages.push(
    `## ${part}\n\nFirst call with compilation ${seconds[0]!.toFixed(1)} s, then ${warm.join(", ")} s; the last run took ${(microseconds / 1e6).toFixed(2)} s inside the runtime.`,
    profileTables(kernels, peak, Number(values.shapes)),
  );
}
await opened.folder.close();
const page = `${pages.join("\n\n")}\n`;
console.log(page);
if (values.markdown !== undefined) await writeFile(values.markdown, page);
