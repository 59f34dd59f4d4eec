import { saveAdapter } from "../src/adapters/save.ts";
import { type Family, familyModules } from "../src/generate/family.ts";
import { filled } from "../src/tensor/tensor.ts";

/** A LoRA of rank 1 for the text's attention of a family's U-Net, all zeros. */
export function kohyaLoraOf(family: Family): Uint8Array {
  const modules = familyModules(family).filter(({ path }) => /attn2\.to_[kv]$/.test(path));
  return saveAdapter(
    modules.map(({ path, weight: [out, inner] }) => ({
      path,
      down: filled([1, inner!]),
      up: filled([out!, 1]),
      alpha: 1,
    })),
  );
}
