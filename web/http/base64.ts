/** A data URL for a blob: its base64, of any length. */
export function toDataUrl(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/** The blob that a data URL holds. Not by `fetch`, which the page's Content-Security-Policy keeps to its own server. */
export function fromDataUrl(url: string): Blob {
  const comma = url.indexOf(",");
  const type = /^data:([^;,]*)/.exec(url)?.[1] ?? "";
  return new Blob([Uint8Array.from(atob(url.slice(comma + 1)), (letter) => letter.charCodeAt(0))], { type });
}
