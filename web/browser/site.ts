/** What the build wrote about itself into `site.json`. */
export interface Site {
  /** Fourstep's version. */
  readonly version: string;
  /** The folder of ONNX Runtime's files, relative to the page. */
  readonly runtimeFiles: string;
  /** The first is the usual one. */
  readonly models: readonly SiteModel[];
}

export interface SiteModel {
  readonly name: string;
  /** Its folder, relative to the page. */
  readonly folder: string;
  readonly loras: readonly string[];
  /** Bytes that are fetched before the first picture can be drawn. */
  readonly bytes: number;
}

export async function readSite(signal: AbortSignal): Promise<Site> {
  const response = await fetch(new URL("site.json", document.baseURI), { signal });
  if (!response.ok) throw new Error(`site.json: the server answered ${response.status}.`);
  return (await response.json()) as Site;
}
