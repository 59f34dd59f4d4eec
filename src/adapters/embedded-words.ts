/**
 * The words that a LoRA's file brings learned vectors for, with the keys of their tensors, one for each text encoder:
 * cloneofsimo's, which the metadata mark, and A1111's bundles (`bundle_emb.WORD.string_to_param.*`, SDXL: `.clip_l` and
 * `.clip_g`).
 */
export function embeddedWords(
  keys: readonly string[],
  metadata: ReadonlyMap<string, string>,
): ReadonlyMap<string, readonly string[]> {
  const words = new Map<string, string[]>();
  for (const key of keys) {
    const [, bundled, encoder] = bundle.exec(key) ?? [];
    const word = bundled ?? (metadata.get(key) === "<embed>" ? key : undefined);
    if (word === undefined) continue;
    const known = words.get(word) ?? [];
    words.set(word, encoder === "clip_l" ? [key, ...known] : [...known, key]);
  }
  return words;
}

const bundle = /^bundle_emb\.(.+?)\.(string_to_param\..+|clip_[lg])$/;
