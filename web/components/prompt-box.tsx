import type { VNode } from "preact";
import { settings } from "../state/settings.ts";
import { drawAgain } from "../state/wanted.ts";

/** What is to be drawn: the picture follows each letter. */
export function PromptBox(): VNode {
  const { prompt } = settings;
  return (
    <div class="prompt-box">
      <label class="spoken" for="prompt">
        What to draw
      </label>
      <textarea
        id="prompt"
        rows={1}
        maxLength={10_000}
        placeholder="Type what to draw …"
        autocomplete="off"
        spellcheck={false}
        value={prompt.value}
        onInput={(event) => {
          prompt.value = event.currentTarget.value;
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          drawAgain();
        }}
      />
    </div>
  );
}
