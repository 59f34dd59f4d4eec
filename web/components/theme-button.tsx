import type { VNode } from "preact";
import { type Theme, theme } from "../state/looks.ts";
import { IconButton } from "./icon-button.tsx";

const order: readonly Theme[] = ["system", "light", "dark"];
const icons = { system: "screen", light: "sun", dark: "moon" } as const;
const names = { system: "as the system", light: "light", dark: "dark" };

/** Colours: as the system, light, dark, and around again. */
export function ThemeButton(): VNode {
  const next = order[(order.indexOf(theme.value) + 1) % order.length]!;
  return (
    <IconButton
      icon={icons[theme.value]}
      label={`Colours: ${names[theme.value]}. Change to: ${names[next]}`}
      onClick={() => {
        theme.value = next;
      }}
    />
  );
}
