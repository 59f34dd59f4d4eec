import type { AdapterRole } from "./dialect.ts";

/** Endings of the factors of LoHa and LoKr, which LyCORIS and PEFT share. */
export const factorEndings: Readonly<Record<string, AdapterRole>> = {
  ".hada_w1_a": "hadamard1A",
  ".hada_w1_b": "hadamard1B",
  ".hada_t1": "hadamard1Core",
  ".hada_w2_a": "hadamard2A",
  ".hada_w2_b": "hadamard2B",
  ".hada_t2": "hadamard2Core",
  ".lokr_w1": "kronecker1",
  ".lokr_w1_a": "kronecker1A",
  ".lokr_w1_b": "kronecker1B",
  ".lokr_w2": "kronecker2",
  ".lokr_w2_a": "kronecker2A",
  ".lokr_w2_b": "kronecker2B",
  ".lokr_t2": "kronecker2Core",
};

/** Endings that LyCORIS gives to the tensors of adapters that are no plain LoRAs; most dialects that have a dot share them. */
export const lycorisEndings: Readonly<Record<string, AdapterRole>> = {
  ".lora_mid.weight": "mid",
  ".dora_scale": "doraScale",
  ...factorEndings,
  ".diff": "difference",
  ".diff_b": "biasDifference",
  ".w_norm": "normWeight",
  ".b_norm": "normBias",
  ".oft_blocks": "rotations",
  ".rescale": "rescale",
  ".a1.weight": "gloraA1",
  ".a2.weight": "gloraA2",
  ".b1.weight": "gloraB1",
  ".b2.weight": "gloraB2",
  ".bm.weight": "gloraMid",
};
