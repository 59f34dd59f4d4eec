import type { VNode } from "preact";
import { placePicture } from "../sketch/sketch-state.ts";
import { save } from "../state/download.ts";
import { scaling } from "../state/looks.ts";
import { tell } from "../state/notice.ts";
import type { ShownPicture } from "../state/pane.ts";
import { settings } from "../state/settings.ts";
import { likeCurrent, setLiked, shelf } from "../state/shelf.ts";
import { IconButton } from "./icon-button.tsx";

/** What can be done with the picture that stands there. */
export function PictureActions({ picture }: { readonly picture: ShownPicture | undefined }): VNode {
  const shelved = shelf.value.find((one) => one.settings === picture?.settings && one.png.size === picture.png.size);
  const liked = shelved?.liked === true;
  const none = picture === undefined;
  return (
    <>
      <IconButton
        icon="heart"
        label={liked ? "Take out of the gallery" : "Keep in the gallery"}
        pressed={liked}
        filled={liked}
        disabled={none}
        onClick={() => (liked && shelved !== undefined ? setLiked(shelved, false) : likeCurrent())}
      />
      <IconButton
        icon="download"
        label="Download, with its settings inside"
        disabled={none}
        onClick={() => picture && save(picture.png, picture.request.prompt, picture.request.seed)}
      />
      <IconButton
        icon="pencil"
        label="Draw on it: put it into the sketch"
        disabled={none}
        onClick={async () => {
          if (picture === undefined) return;
          await placePicture(picture.png);
          settings.mode.value = "sketch";
          tell("The picture is now a layer of the sketch.");
        }}
      />
      <IconButton
        icon="pixels"
        label="Show its pixels"
        pressed={scaling.value === "pixels"}
        onClick={() => {
          scaling.value = scaling.value === "pixels" ? "smooth" : "pixels";
        }}
      />
    </>
  );
}
