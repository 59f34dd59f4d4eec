import { type Signal, signal } from "@preact/signals";
import type { VNode } from "preact";
import { clearHistory, gallery, shelf } from "../state/shelf.ts";
import { IconButton } from "./icon-button.tsx";
import { ShelfPicture } from "./shelf-picture.tsx";

type Part = "history" | "gallery";

const part: Signal<Part> = signal<Part>("history");
const titles: readonly (readonly [Part, string])[] = [
  ["history", "History"],
  ["gallery", "Gallery"],
];

/** Pictures of earlier: all of late, and those that the user keeps. */
export function ShelfView(): VNode {
  const pictures = part.value === "history" ? shelf.value : gallery.value;
  const empty =
    part.value === "history"
      ? "Pictures that you stay with for a moment are remembered here."
      : "Press the heart below a picture to keep it here.";
  return (
    <section class="shelf" aria-label="Earlier pictures">
      <header>
        <fieldset class="segments">
          <legend class="spoken">Which pictures</legend>
          {titles.map(([name, title]) => (
            <label key={name}>
              <input
                type="radio"
                name="shelf"
                checked={part.value === name}
                onChange={() => {
                  part.value = name;
                }}
              />
              <span>{title}</span>
            </label>
          ))}
        </fieldset>
        {part.value === "history" && (
          <IconButton
            icon="trash"
            label="Clear the history; the gallery stays"
            disabled={shelf.value.length === gallery.value.length}
            onClick={clearHistory}
          />
        )}
      </header>
      {pictures.length === 0 ? (
        <p class="hint">{empty}</p>
      ) : (
        <ul class={part.value}>
          {pictures.map((picture) => (
            <ShelfPicture key={picture.id} picture={picture} />
          ))}
        </ul>
      )}
    </section>
  );
}
