import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { mainPane } from "./pane.ts";
import { allStored, forget, keep } from "./store.ts";

/** A picture of earlier, with its settings in it. */
export interface ShelvedPicture {
  /** Larger for newer ones. */
  readonly id: number;
  readonly png: Blob;
  readonly prompt: string;
  readonly settings: string;
  /** Whether the user keeps it: then it is in the gallery, and never goes by itself. */
  readonly liked: boolean;
}

/** So many pictures that nobody keeps are remembered. */
const mostRemembered = 60;

/** A picture that stood for so long goes into the history; those in between, while one types, do not. */
const settledMs = 1200;

/** All pictures of earlier, the newest first. */
export const shelf: Signal<readonly ShelvedPicture[]> = signal([]);
export const gallery: ReadonlySignal<readonly ShelvedPicture[]> = computed(() =>
  shelf.value.filter(({ liked }) => liked),
);

/** Brings back the pictures of earlier visits, and remembers what is drawn from now on. */
export async function keepShelf(stop: AbortSignal): Promise<void> {
  const kept = (await allStored("pictures")) as readonly ShelvedPicture[];
  shelf.value = [...kept].sort((a, b) => b.id - a.id);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const leave = effect(() => {
    const picture = mainPane.picture.value;
    clearTimeout(timer);
    if (picture !== undefined)
      timer = setTimeout(() => remember(picture.png, picture.settings, picture.request.prompt), settledMs);
  });
  stop.addEventListener("abort", leave);
}

/** Puts a picture on the shelf, and gives it; one that lies there is not put there twice. */
function remember(png: Blob, settings: string, prompt: string): ShelvedPicture {
  const known = shelf.peek().find((one) => one.settings === settings && one.png.size === png.size);
  if (known !== undefined) return known;
  const id = Math.max(Date.now(), (shelf.peek()[0]?.id ?? 0) + 1);
  const picture = { id, png, prompt, settings, liked: false };
  const all = [picture, ...shelf.peek()];
  const old = all.filter(({ liked }) => !liked).slice(mostRemembered);
  shelf.value = all.filter((one) => !old.includes(one));
  void keep("pictures", id, picture);
  for (const one of old) void forget("pictures", one.id);
  return picture;
}

/** Puts the picture that stands on the page into the gallery. */
export function likeCurrent(): void {
  const picture = mainPane.picture.peek();
  if (picture !== undefined) setLiked(remember(picture.png, picture.settings, picture.request.prompt), true);
}

export function setLiked(picture: ShelvedPicture, liked: boolean): void {
  const changed = { ...picture, liked };
  shelf.value = shelf.peek().map((one) => (one.id === picture.id ? changed : one));
  void keep("pictures", picture.id, changed);
}

export function removePicture({ id }: ShelvedPicture): void {
  shelf.value = shelf.peek().filter((one) => one.id !== id);
  void forget("pictures", id);
}

/** Forgets the history; the gallery stays. */
export function clearHistory(): void {
  const gone = shelf.peek().filter(({ liked }) => !liked);
  shelf.value = gallery.peek();
  for (const { id } of gone) void forget("pictures", id);
}
