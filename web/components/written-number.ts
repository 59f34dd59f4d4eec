import { parseInfotext } from "../../src/index.ts";

/** A number among a picture's settings; undefined where there is none of the name. */
export function writtenNumber(settings: string | undefined, name: string): number | undefined {
  const text = settings === undefined ? undefined : parseInfotext(settings).settings.get(name);
  const value = Number(text);
  return text === undefined || !Number.isFinite(value) ? undefined : value;
}
