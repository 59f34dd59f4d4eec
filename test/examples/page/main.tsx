/** Runs the examples for browsers: one draws into a canvas, then the component of React draws two prompts. */
import { remoteStudio } from "fourstep/web";
import { createRoot } from "react-dom/client";
import { drawInto } from "../../../examples/browser.ts";
import { Picture } from "../../../examples/react-component.tsx";

const plain = document.querySelector<HTMLCanvasElement>("#plain")!;
const [model, runtimeFiles] = ["models/fourstep-64", new URL("ort/", location.href).href];

Object.assign(globalThis, {
  async plain(prompt: string): Promise<number[]> {
    await drawInto(plain, prompt, model, runtimeFiles);
    return pixelsOf(plain);
  },
  async react(prompts: string[]): Promise<number[]> {
    const worker = new Worker(new URL("../../../examples/browser-worker.ts", import.meta.url), { type: "module" });
    const studio = await remoteStudio(worker, model, { runtimeFiles });
    const root = createRoot(document.querySelector("#react")!);
    // The earlier ones are let go of before they are drawn.
    for (const prompt of prompts) {
      root.render(<Picture studio={studio} prompt={prompt} />);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    while (!document.querySelector("figcaption")?.textContent?.endsWith(" s")) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return pixelsOf(document.querySelector<HTMLCanvasElement>("#react canvas")!);
  },
});

function pixelsOf(canvas: HTMLCanvasElement): number[] {
  return [...canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height).data];
}
