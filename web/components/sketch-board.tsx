import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { bitmapOf } from "../sketch/bitmaps.ts";
import { type Point, paperWidth } from "../sketch/document.ts";
import { createPainter } from "../sketch/paint.ts";
import { endStroke, liveStroke, redo, sketch, undo } from "../sketch/sketch-state.ts";
import { brushSize, brushSizes, colour, tool } from "../sketch/tools.ts";
import { settings } from "../state/settings.ts";

/** How far an arrow key moves the brush, on paper that is 512 wide; four times as far with shift. */
const keyStride = 8;

const arrows: Readonly<Record<string, readonly [x: number, y: number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** The paper: drawn on with a mouse, a finger, a pen, or with the keyboard. */
export function SketchBoard(): VNode {
  const canvas = useRef<HTMLCanvasElement>(null);
  const painter = useRef(createPainter(bitmapOf));
  /** Where the brush is, of those who use the keyboard or hover. */
  const [brush, setBrush] = useState<readonly [x: number, y: number] | undefined>();
  const { width = 1, height = 1 } = settings.size.value ?? {};
  const paperHeight = Math.round((paperWidth * height) / width);
  const [document, live] = [sketch.value, liveStroke.value];

  useEffect(() => {
    if (canvas.current !== null) painter.current.paint(canvas.current, document, live);
  }, [document, live, paperHeight]);

  const pointOf = (event: PointerEvent): Point => {
    const box = canvas.current!.getBoundingClientRect();
    const scale = paperWidth / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale, event.pressure];
  };
  const begin = (point: Point, pressed: boolean): void => {
    const erases = tool.value === "eraser";
    liveStroke.value = {
      kind: "stroke",
      erases,
      colour: colour.value,
      size: brushSize.value,
      points: [point],
      pressed,
    };
  };
  const extend = (points: readonly Point[]): void => {
    const stroke = liveStroke.peek();
    if (stroke !== undefined) liveStroke.value = { ...stroke, points: [...stroke.points, ...points] };
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      event.preventDefault();
      if (event.shiftKey) redo();
      else undo();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [x, y] = brush ?? [paperWidth / 2, paperHeight / 2];
    const arrow = arrows[event.key];
    if (arrow !== undefined) {
      const stride = keyStride * (event.shiftKey ? 4 : 1);
      const within = (value: number, most: number): number => Math.min(most, Math.max(0, value));
      const to = [within(x + arrow[0] * stride, paperWidth), within(y + arrow[1] * stride, paperHeight)] as const;
      setBrush(to);
      extend([[...to, 0.5]]);
    } else if (event.key === " ") {
      if (liveStroke.peek() === undefined) begin([x, y, 0.5], false);
      else endStroke();
      setBrush([x, y]);
    } else if (event.key === "b") tool.value = "brush";
    else if (event.key === "e") tool.value = "eraser";
    else if (event.key === "[") brushSize.value = Math.max(brushSizes.least, brushSize.value - 4);
    else if (event.key === "]") brushSize.value = Math.min(brushSizes.most, brushSize.value + 4);
    else if (event.key === "Escape") liveStroke.value = undefined;
    else return;
    event.preventDefault();
  };

  const percent = (value: number, whole: number): string => `${(100 * value) / whole}%`;
  return (
    <div
      class="board"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it is drawn on with the keyboard, too
      tabIndex={0}
      role="application"
      aria-roledescription="sketch"
      aria-label="Sketch. Arrow keys move the brush, space sets it down and lifts it."
      aria-keyshortcuts="Space B E [ ] Control+Z Control+Shift+Z"
      onPointerDown={(event) => {
        if (event.button !== 0 || !event.isPrimary) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        endStroke();
        begin(pointOf(event), event.pointerType === "pen");
      }}
      onPointerMove={(event) => {
        const [x, y] = pointOf(event);
        if (event.pointerType !== "touch") setBrush([x, y]);
        if (!event.currentTarget.hasPointerCapture(event.pointerId) || !event.isPrimary) return;
        const all = event.getCoalescedEvents();
        extend((all.length === 0 ? [event] : all).map(pointOf));
      }}
      onPointerUp={endStroke}
      onPointerCancel={endStroke}
      onPointerLeave={() => {
        if (liveStroke.peek() === undefined) setBrush(undefined);
      }}
      onBlur={() => {
        endStroke();
        setBrush(undefined);
      }}
      onKeyDown={onKeyDown}
    >
      <canvas ref={canvas} width={paperWidth} height={paperHeight} />
      {brush !== undefined && (
        <span
          class="brush-ring"
          style={{
            left: percent(brush[0], paperWidth),
            top: percent(brush[1], paperHeight),
            width: percent(brushSize.value, paperWidth),
          }}
        />
      )}
    </div>
  );
}
