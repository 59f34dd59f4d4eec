/** Draws one prompt with more and more of a style: equation 6 of the paper, exchanged in a network that stays compiled. */
import { join } from "node:path";
import { createNetworks, encodePrompt, onnxRuntime, planSampling, textToImage, toPixels } from "fourstep";
import { adaptedModel, encodePng, loraSwap, openModel, shippedModelFolder } from "fourstep/node";

/** @returns a PNG file for each weight of the style */
export async function mixLoras(prompt: string, style: string, weights: readonly number[]): Promise<Uint8Array[]> {
  const folder = shippedModelFolder();
  const lora = (name: string): string => join(folder, "lora", `${name}.safetensors`);
  const opened = await openModel(folder);
  const runtime = onnxRuntime();
  try {
    const model = await adaptedModel(opened, []);
    const networks = createNetworks(runtime, model);
    const swap = loraSwap(opened, networks);
    const { plan, sampler } = planSampling(opened.files.scheduler, "lcm-lora");
    const conditioning = await encodePrompt(networks, model, { ...plan, prompt, negativePrompt: "" });
    const request = { conditioning, sampler, size: { width: 64, height: 64 }, seed: 1, count: 1 };
    const pictures: Uint8Array[] = [];
    for (const weight of weights) {
      await swap.use([
        { path: lora("lcm-lora"), weight: 1 },
        { path: lora(style), weight },
      ]);
      for await (const event of textToImage(networks, model, request)) {
        if (event.kind === "picture") pictures.push(await encodePng(toPixels(event.pixels), {}));
      }
    }
    return pictures;
  } finally {
    await runtime.dispose();
    await opened.folder.close();
  }
}
