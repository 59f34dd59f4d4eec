import type { VNode } from "preact";
import { emptySketch } from "../sketch/document.ts";
import { canRedo, canUndo, changeSketch, redo, sketchIsBlank, undo } from "../sketch/sketch-state.ts";
import { brushSize, brushSizes, tool } from "../sketch/tools.ts";
import { ColourPalette } from "./colour-palette.tsx";
import { IconButton } from "./icon-button.tsx";
import { Slider } from "./slider.tsx";

/** What is drawn with. */
export function SketchTools(): VNode {
  const choose = (name: "brush" | "eraser") => (): void => {
    tool.value = name;
  };
  return (
    <div class="sketch-tools" role="toolbar" aria-label="Sketch tools">
      <div class="tool-row">
        <IconButton icon="brush" label="Brush" keys="B" pressed={tool.value === "brush"} onClick={choose("brush")} />
        <IconButton
          icon="eraser"
          label="Eraser"
          keys="E"
          pressed={tool.value === "eraser"}
          onClick={choose("eraser")}
        />
        <span class="gap" />
        <IconButton icon="undo" label="Undo" keys="Control+Z" disabled={!canUndo.value} onClick={undo} />
        <IconButton icon="redo" label="Redo" keys="Control+Shift+Z" disabled={!canRedo.value} onClick={redo} />
        <IconButton
          icon="trash"
          label="Clear the sketch"
          disabled={sketchIsBlank.value}
          onClick={() => changeSketch(() => emptySketch)}
        />
      </div>
      <ColourPalette />
      <Slider
        label="Brush size"
        value={brushSize.value}
        least={brushSizes.least}
        most={brushSizes.most}
        step={1}
        onChange={(size) => {
          brushSize.value = size;
        }}
      />
    </div>
  );
}
