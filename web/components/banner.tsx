import type { VNode } from "preact";
import { type Trouble, trouble } from "../state/trouble.ts";

const words: Readonly<Record<Trouble["kind"], readonly [title: string, advice: string]>> = {
  gone: ["The server is gone.", "This page looks for it and goes on by itself as soon as it is back."],
  busy: ["The server is busy.", "Too many pictures wait there. This page tries again by itself."],
  key: ["The server asks for a key.", ""],
};

/** What keeps pictures from coming, in words. */
export function Banner(): VNode {
  const { value } = trouble;
  const shown = value === undefined || value.kind === "key" ? undefined : words[value.kind];
  return (
    <div class="banner" role="status">
      {shown !== undefined && (
        <p>
          <strong>{shown[0]}</strong> {shown[1]}
        </p>
      )}
    </div>
  );
}
