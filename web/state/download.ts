/** Lets the browser save a picture under a name that says what it is. */
export function save(png: Blob, prompt: string, seed: number | string): void {
  const words = prompt
    .toLowerCase()
    .replaceAll(/<[^<>]*>/g, "")
    .replaceAll(/[^\p{L}\p{N}]+/gu, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 60);
  const url = URL.createObjectURL(png);
  const link = document.createElement("a");
  link.href = url;
  link.download = `${words === "" ? "picture" : words}-${seed}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
