import { type Signal, signal } from "@preact/signals";
import { isNumber, isText, storedSignal } from "../state/stored-signal.ts";

export type Tool = "brush" | "eraser";

export const tool: Signal<Tool> = signal<Tool>("brush");
/** `#rrggbb`. */
export const colour: Signal<string> = storedSignal("colour", "#d8392b", isText);
/** On paper that is 512 wide. */
export const brushSize: Signal<number> = storedSignal("brushSize", 40, isNumber);
export const brushSizes: { readonly least: number; readonly most: number } = { least: 2, most: 160 };

/** Colours at hand, by their names. */
export const palette: readonly (readonly [name: string, colour: string])[] = [
  ["black", "#1d1d1f"],
  ["white", "#ffffff"],
  ["grey", "#9a9aa2"],
  ["red", "#d8392b"],
  ["orange", "#f08c2e"],
  ["yellow", "#f6cf3c"],
  ["green", "#4ba656"],
  ["sky blue", "#5cb6ea"],
  ["blue", "#3a5fc8"],
  ["purple", "#8b57b8"],
  ["pink", "#ee8fb0"],
  ["brown", "#8a5a37"],
];
