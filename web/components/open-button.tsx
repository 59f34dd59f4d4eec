import type { VNode } from "preact";
import { useRef } from "preact/hooks";
import { takePicture } from "../state/restore.ts";
import { IconButton } from "./icon-button.tsx";

/** Chooses a picture's file, as dropping it onto the page does. */
export function OpenButton(): VNode {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <IconButton icon="open" label="Open a picture: its settings come back" onClick={() => input.current?.click()} />
      <input
        ref={input}
        class="away"
        type="file"
        accept="image/*"
        aria-label="Picture to open"
        tabIndex={-1}
        onChange={(event) => {
          const [file] = event.currentTarget.files ?? [];
          event.currentTarget.value = "";
          if (file !== undefined) void takePicture(file);
        }}
      />
    </>
  );
}
