/** A point of a stroke on paper that is 512 wide: x, y, and the pressure from 0 to 1. */
export type Point = readonly [x: number, y: number, pressure: number];

/** What a brush leaves, or an eraser takes away from its layer. */
export interface Stroke {
  readonly kind: "stroke";
  readonly erases: boolean;
  /** `#rrggbb`. */
  readonly colour: string;
  /** Width where it is pressed in full, on paper that is 512 wide. */
  readonly size: number;
  readonly points: readonly Point[];
  /** Whether the pressure was measured, by a pen; else it is made up from the speed. */
  readonly pressed: boolean;
}

/** A picture that was put onto the paper, fitted within it. */
export interface PlacedPicture {
  readonly kind: "picture";
  readonly picture: Blob;
}

export type Mark = Stroke | PlacedPicture;

export interface Layer {
  readonly id: number;
  readonly name: string;
  readonly visible: boolean;
  /** From the oldest to the newest. */
  readonly marks: readonly Mark[];
}

/** A sketch; never changed, so that earlier states can be kept. */
export interface SketchDocument {
  /** From the lowest to the uppermost; at least one. */
  readonly layers: readonly Layer[];
  /** The layer that is drawn on. */
  readonly active: number;
}

export const paperWidth = 512;

export const emptySketch: SketchDocument = {
  layers: [{ id: 1, name: "Layer 1", visible: true, marks: [] }],
  active: 1,
};

/** Whether nothing can be seen. */
export const isBlank = ({ layers }: SketchDocument): boolean =>
  layers.every(({ visible, marks }) => !visible || marks.every((mark) => mark.kind === "stroke" && mark.erases));

export function addMark(sketch: SketchDocument, mark: Mark): SketchDocument {
  return changeLayer(sketch, sketch.active, (layer) => ({ ...layer, marks: [...layer.marks, mark] }));
}

export function changeLayer(sketch: SketchDocument, id: number, change: (layer: Layer) => Layer): SketchDocument {
  return { ...sketch, layers: sketch.layers.map((layer) => (layer.id === id ? change(layer) : layer)) };
}

/** Adds a layer above the active one, and draws on it. */
export function addLayer(sketch: SketchDocument, marks: readonly Mark[] = []): SketchDocument {
  const id = Math.max(...sketch.layers.map((layer) => layer.id)) + 1;
  const layers = [...sketch.layers];
  const at = layers.findIndex((layer) => layer.id === sketch.active) + 1;
  layers.splice(at, 0, { id, name: `Layer ${id}`, visible: true, marks });
  return { layers, active: id };
}

/** Takes a layer away; the last one is emptied instead. */
export function removeLayer(sketch: SketchDocument, id: number): SketchDocument {
  if (sketch.layers.length === 1) return changeLayer(sketch, id, (layer) => ({ ...layer, marks: [] }));
  const at = sketch.layers.findIndex((layer) => layer.id === id);
  const layers = sketch.layers.filter((layer) => layer.id !== id);
  const active = sketch.active === id ? layers[Math.max(0, at - 1)]!.id : sketch.active;
  return { layers, active };
}

/** Moves a layer up (1) or down (-1), where there is room. */
export function moveLayer(sketch: SketchDocument, id: number, by: 1 | -1): SketchDocument {
  const at = sketch.layers.findIndex((layer) => layer.id === id);
  const to = at + by;
  if (at < 0 || to < 0 || to >= sketch.layers.length) return sketch;
  const layers = [...sketch.layers];
  [layers[at], layers[to]] = [layers[to]!, layers[at]!];
  return { ...sketch, layers };
}
