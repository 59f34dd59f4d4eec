import { join } from "node:path";
import { encodePrompt, plainReading } from "../../src/generate/conditioning.ts";
import { createNetworks } from "../../src/generate/networks.ts";
import { toPixels } from "../../src/generate/pixels.ts";
import { planSampling } from "../../src/generate/plan-sampling.ts";
import { textToImage } from "../../src/generate/text-to-image.ts";
import { adaptedModel, openModel, readLoras } from "../../src/node/open-model.ts";
import { shippedModelFolder } from "../../src/node/shipped-model.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";

/** What to draw with the shipped model and its LCM-LoRA. */
export interface NodeDrawing {
  readonly prompt: string;
  readonly seed: number;
  readonly steps: number;
  readonly size: { readonly width: number; readonly height: number };
  readonly style?: { readonly name: string; readonly weight: number };
}

/** A picture as Node draws it, its weights read in place: bytes and latents. */
export async function nodePicture({ prompt, seed, steps, size, style }: NodeDrawing): Promise<{
  readonly pixels: Uint8Array;
  readonly latents: Float32Array;
}> {
  const folder = shippedModelFolder();
  const opened = await openModel(folder);
  const runtime = onnxRuntime();
  try {
    const lora = (name: string): string => join(folder, "lora", `${name}.safetensors`);
    const adapters = await readLoras(opened.files, [
      { path: lora("lcm-lora"), weight: 1 },
      ...(style === undefined ? [] : [{ path: lora(style.name), weight: style.weight }]),
    ]);
    const model = await adaptedModel(opened, adapters);
    const networks = createNetworks(runtime, model);
    const { plan, sampler } = planSampling(opened.files.scheduler, "lcm-lora", { steps });
    const conditioning = await encodePrompt(networks, model, {
      ...plan,
      prompt,
      negativePrompt: "",
      reading: plainReading,
    });
    for await (const event of textToImage(networks, model, { conditioning, sampler, size, seed, count: 1 })) {
      if (event.kind === "picture") return { pixels: toPixels(event.pixels).data, latents: event.latents.data };
    }
    throw new Error("There came no picture.");
  } finally {
    await runtime.dispose();
    await opened.folder.close();
  }
}
