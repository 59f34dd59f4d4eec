import type { LoraModule } from "../adapters/lora.ts";
import { loraDownName, loraUpName } from "../adapters/lora-rule.ts";
import { parametersAsFiles } from "./initialise.ts";
import type { TrainableParameter } from "./parameters.ts";
import { loraPrefix } from "./roles.ts";

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
