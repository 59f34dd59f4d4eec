import type { VNode } from "preact";

/** Paths on 24 by 24, drawn as lines. */
const paths = {
  brush:
    "M4 20c2.5 0 4-1.2 4-3.2A2.8 2.8 0 0 0 5.2 14C3.5 14 3 15.5 3 17c0 1.2-.4 2-1 2.5M8.5 15 20 3.5c.7-.7 1.7.3 1 1L9.8 16.5",
  eraser: "m7 20-4-4a1.5 1.5 0 0 1 0-2L13 4a1.5 1.5 0 0 1 2 0l5 5a1.5 1.5 0 0 1 0 2l-9 9H7Zm2-12 7 7M11 20h10",
  undo: "M4 9h11a5 5 0 0 1 0 10h-4M8 5 4 9l4 4",
  redo: "M20 9H9a5 5 0 0 0 0 10h4M16 5l4 4-4 4",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  heart: "M12 20S4 15.2 4 9.2A4.2 4.2 0 0 1 12 7a4.2 4.2 0 0 1 8 2.2C20 15.2 12 20 12 20Z",
  download: "M12 4v11M7.5 11 12 15.5 16.5 11M5 20h14",
  open: "M4 18V6a1 1 0 0 1 1-1h5l2 2h7a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1Z",
  dice: "M6 4h12a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2ZM8.5 8.5h.01M15.5 8.5h.01M12 12h.01M8.5 15.5h.01M15.5 15.5h.01",
  locked: "M7 11V8a5 5 0 0 1 10 0v3M6 11h12v9H6v-9Z",
  unlocked: "M7 11V8a5 5 0 0 1 9.6-2M6 11h12v9H6v-9Z",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z",
  screen: "M4 5h16v11H4V5ZM9 20h6M12 16v4",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12ZM12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5Z",
  hidden:
    "M4 4l16 16M9 6a9 9 0 0 1 3-.5c6 0 9.5 6.5 9.5 6.5a17 17 0 0 1-2.7 3.4M6 7.7A16 16 0 0 0 2.5 12S6 18.5 12 18.5a9 9 0 0 0 3.6-.8",
  up: "M12 19V5M6 11l6-6 6 6",
  down: "M12 5v14M6 13l6 6 6-6",
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6 6 18",
  pencil: "M4 20l1-4L16 5l3 3L8 19l-4 1ZM14 7l3 3",
  pixels:
    "M4 4h5.3v5.3H4V4ZM9.3 9.3h5.4v5.4H9.3V9.3ZM14.7 14.7H20V20h-5.3v-5.3ZM14.7 4H20v5.3h-5.3V4ZM4 14.7h5.3V20H4v-5.3Z",
  smooth: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16ZM12 8a4 4 0 0 1 4 4",
} as const;

export type IconName = keyof typeof paths;

/** A drawing that says nothing by itself: what it stands beside, or the label of its button, does. */
export function Icon({ name, filled = false }: { readonly name: IconName; readonly filled?: boolean }): VNode {
  return (
    <svg class={filled ? "icon filled" : "icon"} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}
