import type { ComponentChildren, VNode } from "preact";
import { scaling } from "../state/looks.ts";
import type { Pane } from "../state/pane.ts";
import { drawAgain } from "../state/wanted.ts";
import { pictureFacts, pictureWords } from "./picture-facts.ts";
import { PreviewImage } from "./preview-image.tsx";

export interface PictureViewProps {
  readonly pane: Pane;
  readonly title: string;
  /** What stands there before the first picture. */
  readonly empty: ComponentChildren;
  /** Buttons below the picture. */
  readonly children?: ComponentChildren;
}

/** A picture with its progress, its facts and what is to be said of it. */
export function PictureView({ pane, title, empty, children }: PictureViewProps): VNode {
  const picture = pane.picture.value;
  const progress = pane.progress.value;
  const preview = pane.preview.value;
  const fault = pane.fault.value;
  return (
    <figure class="picture-view" aria-label={title} aria-busy={progress !== undefined}>
      <div class={`picture ${scaling.value}`}>
        {picture === undefined ? (
          <div class="empty">{empty}</div>
        ) : (
          <img src={picture.url} alt={pictureWords(picture)} draggable />
        )}
        {preview !== undefined && <PreviewImage preview={preview} />}
        {progress !== undefined && (
          <progress class="progress" aria-label={`${title}: progress`} max={1} value={progress} />
        )}
      </div>
      <figcaption>
        <span class="facts">
          {pane.waiting.value ? "Waiting for pictures of others …" : picture !== undefined && pictureFacts(picture)}
        </span>
        <span class="actions">{children}</span>
      </figcaption>
      {fault !== undefined && (
        <p class="fault" role="alert">
          {fault}{" "}
          <button type="button" class="link" onClick={drawAgain}>
            Try again
          </button>
        </p>
      )}
      {pane.warnings.value.map((warning) => (
        <p class="warning" key={warning}>
          {warning}
        </p>
      ))}
    </figure>
  );
}
