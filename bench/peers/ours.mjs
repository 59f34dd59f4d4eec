/**
 * This project's built package, drawing as `fourstep generate` does. Plain JavaScript, so that its start waits for no
 * compiler. Run by bench/peers/run.ts; prints JSON lines.
 */
import { createNetworks, createSampler, encodePrompt, onnxRuntime, textToImage, toPixels } from "../../dist/index.js";
import { adaptedModel, openModel } from "../../dist/node/index.js";
import { openAutoencoder, withAutoencoder } from "../../dist/node/open-autoencoder.js";

const settings = JSON.parse(process.argv[2]);
const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
const seconds = { text: [], steps: [], vae: [] };
const timed =
  (phase, call) =>
  async (...args) => {
    const start = performance.now();
    const result = await call(...args);
    seconds[phase].push((performance.now() - start) / 1000);
    return result;
  };
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);

/** Standard deviation of the picture's bytes: 0 for a blank one, which nobody should be timed on. */
const spreadOf = (data) => {
  const mean = sum(data) / data.length;
  return Math.sqrt(data.reduce((total, x) => total + (x - mean) ** 2, 0) / data.length);
};

const runtime = onnxRuntime({ threads: settings.threads });
const opened = await openModel(settings.model);
const whole = await adaptedModel(opened, []);
const tiny = settings.autoencoder === "tiny" ? await openAutoencoder(settings.taesdFile, whole.autoencoder) : undefined;
const model = tiny === undefined ? whole : withAutoencoder(whole, tiny);
const networks = createNetworks(runtime, model);
const measured = {
  ...networks,
  encodeText: timed("text", networks.encodeText),
  predict: timed("steps", networks.predict),
  decode: timed("vae", networks.decode),
};

async function draw() {
  for (const phase of Object.values(seconds)) phase.length = 0;
  const start = performance.now();
  const prompt = { prompt: settings.prompt, negativePrompt: "", guidanceScale: 1 };
  const conditioning = await encodePrompt(measured, model, prompt);
  const sampler = createSampler("lcm", { config: opened.files.scheduler, steps: settings.steps, strength: 1 });
  const size = { width: settings.size, height: settings.size };
  const request = { conditioning, sampler, size, seed: settings.seed, count: 1, batch: 1 };
  for await (const event of textToImage(measured, model, request)) {
    if (event.kind === "step") continue;
    const spread = spreadOf(toPixels(event.pixels).data);
    const { text, steps, vae } = seconds;
    say({
      event: "picture",
      seconds: (performance.now() - start) / 1000,
      text: sum(text),
      steps: [...steps],
      vae: sum(vae),
      spread,
    });
  }
}

say({ event: "version", version: "Fourstep on ONNX Runtime" });
say({ event: "ready" });
for (let i = 0; i < settings.pictures; i++) await draw();
await networks.dispose();
await runtime.dispose();
