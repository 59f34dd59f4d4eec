import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { backboneMaps, tapWidths } from "../src/evaluation/networks/backbones.ts";
import { encodeSafetensors } from "../src/formats/safetensors.ts";
import { input } from "../src/graph/value.ts";
import { layers } from "../src/models/layers.ts";
import { measureWeight, weightsFor } from "./parity/evaluation-weights.ts";

/** Writes a SqueezeNet and LPIPS's heads for it, with weights by formula, under the names that `--measures` looks for. */
export async function writeMeasures(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const { tensors } = await weightsFor("squeeze", (source) =>
    backboneMaps(layers(source), "squeeze", input("pictures", [3, 1, 32, 32])),
  );
  await writeFile(join(folder, "squeezenet1_1.safetensors"), encodeSafetensors(Object.fromEntries(tensors), {}));
  const heads = tapWidths.squeeze.map((width, i) => {
    const name = `lin${i}.model.1.weight`;
    return [name, measureWeight(name, [1, width, 1, 1])] as const;
  });
  await writeFile(join(folder, "lpips-squeeze.safetensors"), encodeSafetensors(Object.fromEntries(heads), {}));
}
