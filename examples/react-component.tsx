/** A React component that draws what it is told, `<Picture prompt="a fox" />`, and lets go of what is outdated. */
import { type Studio, toRgba } from "fourstep/web";
import { useEffect, useRef, useState } from "react";

export interface PictureProps {
  /** From `remoteStudio`. */
  readonly studio: Pick<Studio, "draw">;
  readonly prompt: string;
  readonly seed?: number;
}

export function Picture({ studio, prompt, seed = 1 }: PictureProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [state, setState] = useState("");
  useEffect(() => {
    const stop = new AbortController();
    const draw = async () => {
      for await (const event of studio.draw({ prompt, seed }, stop.signal)) {
        if (event.kind === "step") setState(`step ${event.step} of ${event.steps}`);
        if (event.kind !== "picture") continue;
        const { width, height } = event.pixels;
        Object.assign(canvas.current!, { width, height });
        canvas.current!.getContext("2d")!.putImageData(new ImageData(toRgba(event.pixels), width), 0, 0);
        setState(`${event.seconds.toFixed(1)} s`);
      }
    };
    draw().catch((error: Error) => stop.signal.aborted || setState(error.message));
    return () => stop.abort();
  }, [studio, prompt, seed]);
  return (
    <figure>
      <canvas ref={canvas} role="img" aria-label={prompt} />
      <figcaption>{state}</figcaption>
    </figure>
  );
}
