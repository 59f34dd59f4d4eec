import type { VNode } from "preact";
import { settings } from "../state/settings.ts";

/** Things that the shipped model knows. */
const examples = ["a red apple", "a fox, flat style", "an owl, cartoon style", "a mushroom, retro style", "a sailboat"];

/** What one might begin with. */
export function Examples(): VNode {
  return (
    <ul class="examples" aria-label="Examples">
      {examples.map((example) => (
        <li key={example}>
          <button
            type="button"
            class="chip"
            onClick={() => {
              settings.prompt.value = example;
            }}
          >
            {example}
          </button>
        </li>
      ))}
    </ul>
  );
}
