import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** The picture so far, over the last one. */
export function PreviewImage({ preview }: { readonly preview: Blob | ImageData }): VNode {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    let left = false;
    createImageBitmap(preview).then(
      (bitmap) => {
        const shown = canvas.current;
        if (left || shown === null) return;
        shown.width = bitmap.width;
        shown.height = bitmap.height;
        shown.getContext("2d")!.drawImage(bitmap, 0, 0);
        bitmap.close();
      },
      () => {},
    );
    return () => {
      left = true;
    };
  }, [preview]);
  return <canvas class="preview" ref={canvas} />;
}
