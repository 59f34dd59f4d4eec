import { UsageError } from "../errors.ts";

/** The PNG keyword under which image programs keep the text. */
export const infotextKeyword = "parameters";

/** How an image was made, as the widespread `parameters` text says it. */
export interface Infotext {
  readonly prompt: string;
  readonly negativePrompt: string;
  /** By name, in order: `Steps`, `Sampler`, `CFG scale`, `Seed`, `Size`, ... */
  readonly settings: ReadonlyMap<string, string>;
}

/** A last line with fewer settings is part of a prompt. */
const minimumSettings = 3;

const negativePrefix = "Negative prompt:";

// Names are bounded, so that a long line without a colon costs no quadratic time.
const setting = /([\p{L}\p{N}_][\p{L}\p{N}_ \-/]{1,63}):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)/gu;
const settingName = /^[\p{L}\p{N}_][\p{L}\p{N}_ \-/]{1,63}$/u;

/**
 * Writes the text: the prompt, `Negative prompt: ...`, and one line of `Name: value` pairs.
 *
 * A value that holds a comma, colon, quote or line break, or begins or ends with a space, is quoted as JSON.
 * @throws UsageError when there are fewer than three settings, since a reader would take the line for a prompt, or a name
 * is not 2 to 64 letters, digits, spaces, `_`, `-` and `/`.
 */
export function writeInfotext({ prompt, negativePrompt, settings }: Infotext): string {
  if (settings.size < minimumSettings) {
    throw new UsageError(`an infotext needs at least ${minimumSettings} settings, but has ${settings.size}.`);
  }
  const pairs = Array.from(settings, ([name, value]) => {
    if (!settingName.test(name)) {
      throw new UsageError(`"${name}" cannot name a setting: use 2 to 64 letters, digits, spaces, "_", "-" and "/".`);
    }
    return `${name}: ${quote(value)}`;
  });
  const negative = negativePrompt === "" ? "" : `\n${negativePrefix} ${negativePrompt}`;
  return `${prompt}${negative}\n${pairs.join(", ")}`.trim();
}

/** Reads the text; what is not understood as settings is prompt. Lines lose the spaces around them. */
export function parseInfotext(text: string): Infotext {
  const lines = text.trim().split(/\r?\n/);
  let settings = parseSettings(lines.at(-1) ?? "");
  if (settings.size < minimumSettings) settings = new Map();
  else lines.pop();
  const prompt: string[] = [];
  const negative: string[] = [];
  let target = prompt;
  for (const raw of lines) {
    let line = raw.trim();
    if (line.startsWith(negativePrefix)) {
      target = negative;
      line = line.slice(negativePrefix.length).trim();
    }
    target.push(line);
  }
  return { prompt: prompt.join("\n"), negativePrompt: negative.join("\n"), settings };
}

function parseSettings(line: string): Map<string, string> {
  const settings = new Map<string, string>();
  for (const [, name, value] of line.matchAll(setting)) {
    if (name !== undefined && value !== undefined) settings.set(name, unquote(value));
  }
  return settings;
}

function quote(value: string): string {
  return value === "" || /[,:\n\r"]|^\s|\s$/.test(value) ? JSON.stringify(value) : value;
}

function unquote(value: string): string {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) return value;
  try {
    return String(JSON.parse(value));
  } catch {
    return value;
  }
}
