import { isJsonObject, type JsonObject, type JsonValue } from "../formats/json.ts";

/** A table of all keys of a config, dotted, with their values. */
export function settingsTable(config: JsonObject): string {
  const rows: string[] = [];
  const walk = (value: JsonValue, path: string): void => {
    if (isJsonObject(value)) {
      for (const [key, inner] of Object.entries(value)) walk(inner, path === "" ? key : `${path}.${key}`);
    } else {
      const shown = typeof value === "string" ? value : JSON.stringify(value);
      rows.push(`<tr><th>${escapeText(path)}</th><td>${escapeText(shown)}</td></tr>`);
    }
  };
  walk(config, "");
  return rows.length === 0 ? "" : `<table>${rows.join("")}</table>`;
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text as HTML has it. */
export function escapeText(text: string): string {
  return text.replaceAll(/[&<>"']/g, (letter) => entities[letter]!);
}

/** Bytes in base64. */
export function base64(bytes: Uint8Array): string {
  let letters = "";
  // An argument list has a limit.
  for (let at = 0; at < bytes.length; at += 8192) letters += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(letters);
}
