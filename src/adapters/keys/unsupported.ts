/** Kinds of adapter that are no plain LoRA, by a piece of their keys that no LoRA has. */
const kinds: Readonly<Record<string, string>> = {
  ".hada_": "a LoHa (products of two low-rank matrices)",
  ".lokr_": "a LoKr (Kronecker products)",
  ".lora_mid.": "a LoCon with a middle part (Tucker)",
  ".dora_scale": "a DoRA (weights with a norm of their own)",
  ".lora_magnitude_vector": "a DoRA (weights with a norm of their own)",
  ".oft_": "an OFT (orthogonal transform)",
  ".a1.weight": "a GLoRA",
  ".w_norm": "an adapter of normalisation layers",
  ".b_norm": "an adapter of normalisation layers",
  ".diff_b": "an adapter of biases",
  ".diff": "an adapter of whole weight differences",
};

/** What kind of adapter a key belongs to that plain LoRA cannot express, in words; undefined for other keys. */
export function unsupportedKind(key: string): string | undefined {
  for (const [piece, kind] of Object.entries(kinds)) {
    if (piece.endsWith("_") || piece.endsWith(".") ? key.includes(piece) : key.endsWith(piece)) return kind;
  }
  return undefined;
}
