/** Gives the engine to whoever drives the page. */
import {
  remoteStudio,
  type Studio,
  type StudioInfo,
  type StudioOptions,
  type WebDrawing,
} from "../../../src/web/index.ts";

let studio: Studio | undefined;

/** A picture, as it leaves the page. */
interface Drawn {
  readonly pixels: number[];
  readonly latents: number[];
  readonly seconds: number;
  readonly settings: string;
  readonly steps: number;
  readonly warnings: readonly string[];
  /** The longest time that the page could do nothing else meanwhile, in milliseconds. */
  readonly longestPause: number;
}

const engine = {
  async open(url: string, options: StudioOptions): Promise<{ info: StudioInfo; files: string[] }> {
    const files = new Set<string>();
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
    studio = await remoteStudio(worker, url, { ...options, onProgress: ({ file }) => files.add(file) });
    return { info: studio.info, files: [...files] };
  },
  async draw(drawing: WebDrawing): Promise<Drawn> {
    let steps = 0;
    const warnings: string[] = [];
    const pauses = watchPauses();
    for await (const event of studio!.draw(drawing)) {
      if (event.kind === "step") steps++;
      if (event.kind === "warnings") warnings.push(...event.warnings);
      if (event.kind !== "picture") continue;
      const { pixels, latents, seconds, settings } = event;
      const longestPause = pauses();
      return { pixels: [...pixels.data], latents: [...latents], seconds, settings, steps, warnings, longestPause };
    }
    throw new Error("There came no picture.");
  },
  /** Aborts a drawing at its first step; gives what it threw, and whether the next one is drawn. */
  async leave(drawing: WebDrawing): Promise<{ thrown: string; next: number }> {
    const stop = new AbortController();
    let thrown = "";
    try {
      for await (const event of studio!.draw(drawing, stop.signal)) if (event.kind === "step") stop.abort();
    } catch (error) {
      thrown = (error as Error).name;
    }
    return { thrown, next: (await engine.draw(drawing)).steps };
  },
};

export type Engine = typeof engine;

Object.assign(globalThis, { engine });

function watchPauses(): () => number {
  let [last, longest] = [performance.now(), 0];
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }, 4);
  return () => {
    clearInterval(timer);
    return longest;
  };
}
