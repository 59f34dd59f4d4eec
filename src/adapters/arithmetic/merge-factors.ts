import { AdapterError } from "../../errors.ts";
import { toFloat32 } from "../../tensor/convert.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { WeightedModule } from "../combine.ts";
import { type LoraModule, loraRank, loraScale } from "../lora.ts";
import { type MergeOptions, mergeArrays } from "./merge-changes.ts";

/**
 * One module of several by merging their A's and their B's apart, each with the root of its weight times scale, the sign on A:
 * what PEFT's `add_weighted_adapter` calls linear, ties, and so on. The rank stays, but products of one's B with another's A
 * come in, so that `linear` is no sum of changes; to have PEFT's numbers, not to add vectors.
 * @throws AdapterError when ranks or shapes differ, UsageError as `mergeArrays`
 */
export async function mergeFactors(
  path: string,
  parts: readonly WeightedModule[],
  options: MergeOptions,
): Promise<LoraModule> {
  const [first] = parts as [WeightedModule];
  const other = parts.find(
    ({ module }) => !sameNumbers(module.down, first.module.down) || !sameNumbers(module.up, first.module.up),
  );
  if (other !== undefined) {
    const [one, two] = [first, other].map(
      ({ module }) => `rank ${loraRank(module)}, [${module.down.shape.join(", ")}]`,
    );
    throw new AdapterError(
      `${path}: factors of ${one} and of ${two} cannot be merged apart; merge the changes instead.`,
    );
  }
  const merged = async (of: "down" | "up", signed: boolean): Promise<Tensor<"float32">> => {
    const weights = parts.map(({ lambda, module }) => {
      const weight = lambda * loraScale(module);
      return Math.sqrt(Math.abs(weight)) * (signed && weight < 0 ? -1 : 1);
    });
    const data = await mergeArrays(
      parts.map(({ module }) => toFloat32(module[of]).data),
      weights,
      options,
    );
    return { type: "float32", shape: first.module[of].shape, data: Float32Array.from(data) };
  };
  return {
    path,
    down: await merged("down", true),
    up: await merged("up", false),
    alpha: loraRank(first.module),
  };
}

function sameNumbers(a: Tensor, b: Tensor): boolean {
  return a.shape.join() === b.shape.join();
}
