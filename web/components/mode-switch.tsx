import type { VNode } from "preact";
import { type Mode, settings } from "../state/settings.ts";

const modes: readonly (readonly [Mode, string])[] = [
  ["type", "Type"],
  ["sketch", "Sketch"],
];

/** Whether pictures come from words alone or begin with a sketch. */
export function ModeSwitch(): VNode {
  return (
    <fieldset class="segments">
      <legend class="spoken">What pictures come from</legend>
      {modes.map(([mode, label]) => (
        <label key={mode}>
          <input
            type="radio"
            name="mode"
            value={mode}
            checked={settings.mode.value === mode}
            onChange={() => {
              settings.mode.value = mode;
            }}
          />
          <span>{label}</span>
        </label>
      ))}
    </fieldset>
  );
}
