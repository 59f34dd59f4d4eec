/** Draws in the page, without a server: the model is fetched, a worker draws, a canvas shows. */
import { remoteStudio, type Studio, toRgba } from "fourstep/web";

const worker = new Worker(new URL("./browser-worker.ts", import.meta.url), { type: "module" });
let studio: Promise<Studio> | undefined;

/** @param model address of a model's folder @param runtimeFiles address of ONNX Runtime's files */
export async function drawInto(canvas: HTMLCanvasElement, prompt: string, model: string, runtimeFiles: string) {
  studio ??= remoteStudio(worker, model, { runtimeFiles });
  const { draw } = await studio;
  for await (const event of draw({ prompt, seed: 1 })) {
    if (event.kind !== "picture") continue;
    const { width, height } = event.pixels;
    [canvas.width, canvas.height] = [width, height];
    canvas.getContext("2d")!.putImageData(new ImageData(toRgba(event.pixels), width), 0, 0);
  }
}
