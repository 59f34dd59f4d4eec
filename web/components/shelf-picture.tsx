import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { scaling } from "../state/looks.ts";
import { takePicture } from "../state/restore.ts";
import { removePicture, type ShelvedPicture, setLiked } from "../state/shelf.ts";
import { IconButton } from "./icon-button.tsx";

/** A picture of earlier; pressing it brings its settings back. */
export function ShelfPicture({ picture }: { readonly picture: ShelvedPicture }): VNode {
  const { png, prompt, liked } = picture;
  const [url, setUrl] = useState<string | undefined>();
  useEffect(() => {
    const made = URL.createObjectURL(png);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [png]);
  const name = prompt === "" ? "a picture without a prompt" : prompt;
  return (
    <li class="shelf-picture">
      <button type="button" class={`thumb ${scaling.value}`} title={name} onClick={() => void takePicture(png)}>
        <img src={url} alt={`Bring back: ${name}`} />
      </button>
      <span class="corner">
        <IconButton
          icon="heart"
          label={liked ? `Take out of the gallery: ${name}` : `Keep in the gallery: ${name}`}
          pressed={liked}
          filled={liked}
          onClick={() => setLiked(picture, !liked)}
        />
        <IconButton icon="close" label={`Remove: ${name}`} onClick={() => removePicture(picture)} />
      </span>
    </li>
  );
}
