import type { ByteSource } from "../../formats/byte-source.ts";

/**
 * A model's folder, on a disk or behind a server. Paths are relative to it, with forward slashes.
 */
export interface FolderReader {
  /** What errors call it. */
  readonly name: string;
  exists(path: string): Promise<boolean>;
  /** A whole text file. @throws UsageError when it cannot be read */
  readText(path: string): Promise<string>;
  /** A file for reading by range; it stays open as long as the folder does. @throws UsageError when it cannot be opened */
  source(path: string): Promise<ByteSource>;
}
