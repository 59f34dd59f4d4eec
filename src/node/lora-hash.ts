import { createHash } from "node:crypto";
import { openFileSource } from "../formats/file-source.node.ts";
import { readSafetensorsHeader } from "../formats/safetensors.ts";

/** Digits of a LoRA's hash that AUTOMATIC1111's web interface writes into pictures. */
const shownDigits = 12;

const chunk = 2 ** 24;

/**
 * A LoRA's hash as AUTOMATIC1111's web interface writes it: what sd-scripts wrote into its metadata, else SHA-256 of the
 * tensors' bytes, or of a whole file that is no safetensors file; the first 12 digits.
 */
export async function loraHash(path: string): Promise<string> {
  await using source = await openFileSource(path);
  const header = path.toLowerCase().endsWith(".safetensors") ? await readSafetensorsHeader(source) : undefined;
  const written = header?.metadata.get("sshs_model_hash");
  if (written !== undefined && /^[0-9a-f]{12,}$/.test(written)) return written.slice(0, shownDigits);
  const hash = createHash("sha256");
  for (let at = header?.dataOffset ?? 0; at < source.size; at += chunk)
    hash.update(await source.read(at, Math.min(chunk, source.size - at)));
  return hash.digest("hex").slice(0, shownDigits);
}
