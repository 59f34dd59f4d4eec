import type { VNode } from "preact";
import { parseInfotext } from "../../src/index.ts";
import { mainPane } from "../state/pane.ts";
import { type Size, settings } from "../state/settings.ts";
import { SelectField } from "./select-field.tsx";

const written = ({ width, height }: Size): string => `${width}x${height}`;

/** The picture's form: the model's own square, or longer one way. */
export function SizeField(): VNode {
  const { size } = settings;
  const side = shorterSide();
  const longer = side === undefined ? undefined : Math.round((side * 1.5) / 16) * 16;
  const choices: [string, string][] = [["", "The model's own"]];
  if (side !== undefined && longer !== undefined) {
    choices.push([written({ width: side, height: longer }), `Upright, ${side} × ${longer}`]);
    choices.push([written({ width: longer, height: side }), `Wide, ${longer} × ${side}`]);
  }
  const value = size.value === undefined ? "" : written(size.value);
  if (!choices.some(([choice]) => choice === value)) choices.push([value, value.replace("x", " × ")]);
  return (
    <SelectField
      label="Size"
      value={value}
      choices={choices}
      onChange={(chosen) => {
        const [width, height] = chosen.split("x").map(Number);
        size.value = chosen === "" ? undefined : { width: width!, height: height! };
      }}
    />
  );
}

/** Pixels, as the last picture says. */
function shorterSide(): number | undefined {
  const settingsText = mainPane.picture.value?.settings;
  if (settingsText === undefined) return undefined;
  const [width, height] = (parseInfotext(settingsText).settings.get("Size") ?? "").split("x").map(Number);
  return width === undefined || height === undefined ? undefined : Math.min(width, height);
}
