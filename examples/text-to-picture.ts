/** Draws a picture from a text in four steps, as `fourstep generate` does. */
import { join } from "node:path";
import { createNetworks, encodePrompt, onnxRuntime, planSampling, textToImage, toPixels } from "fourstep";
import { adaptedModel, encodePng, openModel, readLoras, shippedModelFolder } from "fourstep/node";

/** @returns a PNG file */
export async function textToPicture(prompt: string, seed: number): Promise<Uint8Array> {
  const folder = shippedModelFolder();
  const opened = await openModel(folder);
  const runtime = onnxRuntime({ device: "cpu" });
  try {
    // The acceleration vector goes into the weights: equation 4 of the paper.
    const lcm = { path: join(folder, "lora/lcm-lora.safetensors"), weight: 1 };
    const model = await adaptedModel(opened, await readLoras(opened.files, [lcm]));
    const networks = createNetworks(runtime, model);
    // What suits a model with an LCM-LoRA: the LCM sampler, 4 steps, no guidance.
    const { plan, sampler } = planSampling(opened.files.scheduler, "lcm-lora");
    const conditioning = await encodePrompt(networks, model, { ...plan, prompt, negativePrompt: "" });
    const size = { width: 64, height: 64 };
    for await (const event of textToImage(networks, model, { conditioning, sampler, size, seed, count: 1 })) {
      if (event.kind === "step") console.error(`step ${event.index + 1}`);
      else return encodePng(toPixels(event.pixels), { prompt });
    }
    throw new Error("There came no picture.");
  } finally {
    await runtime.dispose();
    await opened.folder.close();
  }
}
