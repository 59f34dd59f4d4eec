import type { ComponentChildren, VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { takePicture } from "../state/restore.ts";

/** The whole page takes pictures that are dropped onto it, or pasted. */
export function DropZone({ children }: { readonly children: ComponentChildren }): VNode {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const leaving = new AbortController();
    const { signal } = leaving;
    const holdsFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") === true;
    const take = (files: FileList | undefined): boolean => {
      const picture = [...(files ?? [])].find(({ type }) => type.startsWith("image/"));
      if (picture !== undefined) void takePicture(picture);
      return picture !== undefined;
    };
    window.addEventListener(
      "dragover",
      (event) => {
        if (!holdsFiles(event)) return;
        event.preventDefault();
        setOver(true);
      },
      { signal },
    );
    window.addEventListener("dragleave", (event) => event.relatedTarget === null && setOver(false), { signal });
    window.addEventListener(
      "drop",
      (event) => {
        setOver(false);
        if (!holdsFiles(event)) return;
        event.preventDefault();
        take(event.dataTransfer?.files);
      },
      { signal },
    );
    window.addEventListener(
      "paste",
      (event) => {
        if (take(event.clipboardData?.files)) event.preventDefault();
      },
      { signal },
    );
    return () => leaving.abort();
  }, []);
  return (
    <>
      {children}
      {over && <div class="drop-here">Drop the picture: its settings come back.</div>}
    </>
  );
}
