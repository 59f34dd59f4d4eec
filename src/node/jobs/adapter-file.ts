import type { LoraModule } from "../../adapters/lora.ts";
import { loraDownName, loraUpName } from "../../adapters/lora-rule.ts";
import { saveAdapter } from "../../adapters/save.ts";
import { writeFileAtomically } from "../../formats/file-source.node.ts";
import { parametersAsFiles } from "../../training/initialise.ts";
import type { TrainableParameter } from "../../training/parameters.ts";
import { loraPrefix } from "../../training/roles.ts";

/** The adapter that a run's vector holds, in the order of its layers. */
export function adapterOf(
  parameters: readonly TrainableParameter[],
  vector: Float32Array,
  alpha: number,
): readonly LoraModule[] {
  const tensors = parametersAsFiles(parameters, vector, loraPrefix);
  const end = loraDownName("");
  const paths = [...tensors.keys()].filter((name) => name.endsWith(end)).map((name) => name.slice(0, -end.length));
  return paths.map((path) => ({
    path,
    down: tensors.get(loraDownName(path))!,
    up: tensors.get(loraUpName(path))!,
    alpha,
  }));
}

/** Writes an adapter as the published LCM-LoRAs are. */
export async function writeAdapter(path: string, modules: readonly LoraModule[]): Promise<void> {
  await writeFileAtomically(path, saveAdapter(modules));
}
