import { type Signal, signal } from "@preact/signals";
import type { DrawRequest } from "../drawer.ts";

/** A picture that stands on the page. */
export interface ShownPicture {
  /** Address of the blob, for `img`. */
  readonly url: string;
  readonly png: Blob;
  readonly request: DrawRequest;
  /** The settings, as the picture holds them. */
  readonly settings: string;
  /** From the request to the picture; undefined for one that came from a file. */
  readonly seconds: number | undefined;
}

/** A place for a picture, and what is going on there. */
export interface Pane {
  readonly picture: Signal<ShownPicture | undefined>;
  /** The picture so far, of one that takes its time. */
  readonly preview: Signal<Blob | ImageData | undefined>;
  /** How much of the picture is done, from 0 to 1; undefined when none is drawn. */
  readonly progress: Signal<number | undefined>;
  /** Whether others' pictures come first. */
  readonly waiting: Signal<boolean>;
  readonly warnings: Signal<readonly string[]>;
  /** Why there is no picture. */
  readonly fault: Signal<string | undefined>;
}

export function createPane(): Pane {
  return {
    picture: signal(undefined),
    preview: signal(undefined),
    progress: signal(undefined),
    waiting: signal(false),
    warnings: signal([]),
    fault: signal(undefined),
  };
}

/** The picture that follows the user, and DDIM's beside it. */
export const mainPane: Pane = createPane();
export const comparePane: Pane = createPane();

/** Addresses are given back a while after their picture was replaced, when no element shows it any more. */
const keptMs = 10_000;

/** Puts a picture in place once the browser has decoded it, so that nothing flickers. */
export async function show(pane: Pane, picture: Omit<ShownPicture, "url">, stop: AbortSignal): Promise<void> {
  const url = URL.createObjectURL(picture.png);
  const image = new Image();
  image.src = url;
  await image.decode().catch(() => {});
  if (stop.aborted) {
    URL.revokeObjectURL(url);
    throw stop.reason;
  }
  const before = pane.picture.peek();
  pane.picture.value = { ...picture, url };
  if (before !== undefined) setTimeout(() => URL.revokeObjectURL(before.url), keptMs);
}
