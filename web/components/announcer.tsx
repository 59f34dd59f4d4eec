import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { notice } from "../state/notice.ts";
import { mainPane } from "../state/pane.ts";
import { pictureWords } from "./picture-facts.ts";

/** Pictures are announced when they stay; those in between would be a babble. */
const settledMs = 1500;

/** Tells screen readers of pictures, and everybody of what else happened. */
export function Announcer(): VNode {
  const picture = mainPane.picture.value;
  const [words, setWords] = useState("");
  useEffect(() => {
    if (picture === undefined) return;
    const timer = setTimeout(() => setWords(`Drawn: ${pictureWords(picture)}.`), settledMs);
    return () => clearTimeout(timer);
  }, [picture]);
  return (
    <>
      <p class="spoken" role="status">
        {words}
      </p>
      <p class={notice.value === "" ? "notice" : "notice shown"} role="status">
        {notice.value}
      </p>
    </>
  );
}
