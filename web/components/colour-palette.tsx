import type { VNode } from "preact";
import { colour, palette, tool } from "../sketch/tools.ts";

/** Colours at hand, and any other. */
export function ColourPalette(): VNode {
  const choose = (chosen: string): void => {
    colour.value = chosen;
    tool.value = "brush";
  };
  const other = !palette.some(([, value]) => value === colour.value);
  return (
    <fieldset class="palette">
      <legend class="spoken">Colour</legend>
      {palette.map(([name, value]) => (
        <button
          key={value}
          type="button"
          class="swatch"
          aria-label={name}
          title={name}
          aria-pressed={colour.value === value}
          style={{ background: value }}
          onClick={() => choose(value)}
        />
      ))}
      <label class={other ? "swatch other chosen" : "swatch other"} title="another colour">
        <span class="spoken">another colour</span>
        <input type="color" value={colour.value} onInput={(event) => choose(event.currentTarget.value)} />
      </label>
    </fieldset>
  );
}
