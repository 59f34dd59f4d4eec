import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { UsageError } from "../../errors.ts";
import { writeFileAtomically } from "../../formats/file-source.node.ts";
import { field, parseJsonObject } from "../../formats/json.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** What a run's numbers depend on beside its config: a name such as "pictures", and a hash of the content. */
export type JobSources = Readonly<Record<string, string>>;

/**
 * Notes what a run began with, or, where it goes on, compares.
 * @throws UsageError naming what is not as it was when the run began.
 */
export async function keepSources(folder: string, sources: JobSources, goesOn: boolean): Promise<void> {
  const path = join(folder, "sources.json");
  const begun = goesOn ? await readFile(path, "utf8").catch(() => undefined) : undefined;
  if (begun === undefined) {
    await writeFileAtomically(path, `${JSON.stringify(sources, undefined, 2)}\n`);
    return;
  }
  const before = parseJsonObject(begun, path);
  const changed = Object.keys(sources).filter((name) => field(before, name) !== sources[name]);
  if (changed.length === 0) return;
  throw new UsageError(
    `${folder}: the ${changed.join(" and the ")} of this run changed since it began; restore what was there, or begin in a new folder`,
  );
}

/** SHA-256 of tensors, their names and their shapes, in hexadecimal. */
export function hashTensors(tensors: ReadonlyMap<string, Tensor>): string {
  const hash = createHash("sha256");
  for (const name of [...tensors.keys()].sort()) {
    const { shape, data } = tensors.get(name)!;
    hash.update(`${JSON.stringify([name, shape])}\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}

/** SHA-256 of texts, in hexadecimal. */
export function hashTexts(texts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(texts)).digest("hex");
}
