import { effect, type Signal } from "@preact/signals";
import { isOneOf, storedSignal } from "./stored-signal.ts";

/** Colours: as the system says, or as the user does. */
export type Theme = "system" | "light" | "dark";

/** How a small picture is made large. */
export type Scaling = "smooth" | "pixels";

export const theme: Signal<Theme> = storedSignal<Theme>("theme", "system", isOneOf("system", "light", "dark"));
export const scaling: Signal<Scaling> = storedSignal<Scaling>("scaling", "smooth", isOneOf("smooth", "pixels"));

effect(() => {
  document.documentElement.dataset["theme"] = theme.value;
});
