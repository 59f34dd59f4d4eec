import { CheckpointError } from "../errors.ts";
import { constant, type Value } from "../graph/value.ts";
import { toFloat32 } from "../tensor/convert.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ParameterSource } from "./layers.ts";

/**
 * Constants from tensors in memory, as float32, by diffusers' names. Each is made once, so that passes which share a
 * weight share its constant.
 * @param part named in errors, e.g. `unet`
 */
export function memorySource(tensors: ReadonlyMap<string, Tensor>, part: string): ParameterSource {
  const made = new Map<string, Value>();
  return (name, shape) => {
    const known = made.get(name);
    if (known !== undefined) return known;
    const tensor = tensors.get(name);
    if (tensor === undefined)
      throw new CheckpointError(
        `${part} has no tensor "${name}" [${shape.join(", ")}]; the file is incomplete or of another model.`,
      );
    const value = constant(toFloat32(tensor));
    made.set(name, value);
    return value;
  };
}
