import type { LoraModule } from "../../adapters/lora.ts";
import { saveAdapter } from "../../adapters/save.ts";
import { writeFileAtomically } from "../../formats/file-source.node.ts";
import { adapterOf } from "../../training/trained-adapter.ts";

export { adapterOf };

/** Writes an adapter as the published LCM-LoRAs are. */
export async function writeAdapter(path: string, modules: readonly LoraModule[]): Promise<void> {
  await writeFileAtomically(path, saveAdapter(modules));
}
