import { toPixels } from "../generate/pixels.ts";
import { showPicture, type TerminalPictures } from "../node/terminal-picture.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { TextStream } from "./command.ts";

/** Shows in the terminal how a picture comes about, each state in the place of the one before. */
export interface StepPreview {
  /** Shows a state, `[3, height, width]` in [-1, 1]. */
  show(picture: Tensor<"float32">): Promise<void>;
  /** Takes the last state away, so that the finished picture comes in its place. */
  clear(): void;
}

/** States in coloured blocks: of the ways that terminals have, the one whose height in lines is known. */
export function stepPreview(stream: TextStream, terminal: TerminalPictures): StepPreview {
  if (terminal.kind !== "blocks") return { show: async () => {}, clear: () => {} };
  let lines = 0;
  const back = (): string => (lines === 0 ? "" : `\u001b[${lines}A\u001b[J`);
  return {
    async show(picture) {
      const text = await showPicture(toPixels(picture), new Uint8Array(0), terminal);
      stream.write(`${back()}${text}`);
      lines = text.split("\n").length - 1;
    },
    clear() {
      if (lines > 0) stream.write(back());
      lines = 0;
    },
  };
}
