import { type PicturedDrawing, type PicturedLoras, pictureSettings } from "../../generate/picture-settings.ts";
import type { GivenStart } from "./given-start.ts";

export { type PicturedLoras, pictureSettings };

/** What a drawing is made of, all choices made. */
export interface Drawing extends PicturedDrawing {
  readonly loras: readonly { readonly name: string; readonly weight: number }[];
  /** Of the first picture. */
  readonly seed: number;
  /** The picture that drawing begins with, if there is one. */
  readonly start: GivenStart | undefined;
}
