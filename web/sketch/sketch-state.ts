import { batch, computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { readBitmap } from "./bitmaps.ts";
import { addLayer, addMark, emptySketch, isBlank, type SketchDocument, type Stroke } from "./document.ts";

/** So many earlier states are kept. */
const mostStates = 200;

export const sketch: Signal<SketchDocument> = signal(emptySketch);
/** The stroke that is being drawn. */
export const liveStroke: Signal<Stroke | undefined> = signal(undefined);

const past: Signal<readonly SketchDocument[]> = signal([]);
const future: Signal<readonly SketchDocument[]> = signal([]);

export const canUndo: ReadonlySignal<boolean> = computed(() => past.value.length > 0);
export const canRedo: ReadonlySignal<boolean> = computed(() => future.value.length > 0);
export const sketchIsBlank: ReadonlySignal<boolean> = computed(
  () => isBlank(sketch.value) && (liveStroke.value === undefined || liveStroke.value.erases),
);

/** Changes the sketch, so that it can be undone. */
export function changeSketch(change: (sketch: SketchDocument) => SketchDocument): void {
  const before = sketch.peek();
  const after = change(before);
  if (after === before) return;
  batch(() => {
    past.value = [...past.peek(), before].slice(-mostStates);
    future.value = [];
    sketch.value = after;
  });
}

/** Puts what is being drawn onto the paper. */
export function endStroke(): void {
  const stroke = liveStroke.peek();
  if (stroke === undefined) return;
  batch(() => {
    liveStroke.value = undefined;
    changeSketch((before) => addMark(before, stroke));
  });
}

export function undo(): void {
  const before = past.peek().at(-1);
  if (before === undefined) return;
  batch(() => {
    future.value = [...future.peek(), sketch.peek()];
    past.value = past.peek().slice(0, -1);
    sketch.value = before;
  });
}

export function redo(): void {
  const after = future.peek().at(-1);
  if (after === undefined) return;
  batch(() => {
    past.value = [...past.peek(), sketch.peek()];
    future.value = future.peek().slice(0, -1);
    sketch.value = after;
  });
}

/**
 * Puts a picture onto the paper, as a layer of its own.
 * @throws DOMException when the browser does not know its format
 */
export async function placePicture(picture: Blob): Promise<void> {
  await readBitmap(picture);
  changeSketch((before) => addLayer(before, [{ kind: "picture", picture }]));
}

/** Begins anew with this picture alone; the sketch of before can be had back by undoing. */
export async function sketchFromPicture(picture: Blob): Promise<void> {
  await readBitmap(picture);
  const [layer] = emptySketch.layers;
  changeSketch(() => ({ layers: [{ ...layer!, marks: [{ kind: "picture", picture }] }], active: layer!.id }));
}
