import { effect, type Signal, signal } from "@preact/signals";

/** A signal whose value is kept in this browser, as JSON under `fourstep.NAME`. What was kept in another form is dropped. */
export function storedSignal<T>(name: string, usual: T, holds: (value: unknown) => value is T): Signal<T> {
  const key = `fourstep.${name}`;
  const stored = signal(kept(key, usual, holds));
  effect(() => {
    const { value } = stored;
    try {
      if (value === undefined) localStorage.removeItem(key);
      else localStorage.setItem(key, JSON.stringify(value));
    } catch {
      // Without a place to keep it, it holds until the page is left.
    }
  });
  return stored;
}

function kept<T>(key: string, usual: T, holds: (value: unknown) => value is T): T {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(key) ?? "null");
    return holds(value) ? value : usual;
  } catch {
    return usual;
  }
}

export const isText = (value: unknown): value is string => typeof value === "string";
export const isYesNo = (value: unknown): value is boolean => typeof value === "boolean";
export const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
export const isNumberOrNone = (value: unknown): value is number | undefined => value === undefined || isNumber(value);
export const isTextOrNone = (value: unknown): value is string | undefined => value === undefined || isText(value);

/** Whether a value is one of some words. */
export function isOneOf<const T extends string>(...words: readonly T[]): (value: unknown) => value is T {
  return (value): value is T => words.some((word) => word === value);
}

export function isWeights(value: unknown): value is Readonly<Record<string, number>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every(isNumber);
}

export function isSizeOrNone(value: unknown): value is { readonly width: number; readonly height: number } | undefined {
  if (value === undefined) return true;
  return (
    typeof value === "object" &&
    value !== null &&
    "width" in value &&
    "height" in value &&
    isNumber(value.width) &&
    isNumber(value.height)
  );
}
