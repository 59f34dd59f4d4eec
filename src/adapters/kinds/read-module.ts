import { AdapterError } from "../../errors.ts";
import { biasDifference } from "./differences.ts";
import { withNorms } from "./dora.ts";
import { adapterKinds } from "./index.ts";
import type { ModuleChange, ModuleTensors } from "./module-tensors.ts";

/**
 * What the tensors of a module make of it; undefined when they make nothing, such as an alpha alone.
 * @throws AdapterError when the module is of two kinds, a part is missing or does not fit the model
 */
export function readModule(module: ModuleTensors): ModuleChange | undefined {
  const { file, model, tensors } = module;
  const kinds = adapterKinds.filter(({ marks }) => marks.some((role) => tensors.has(role)));
  const [kind, other] = kinds;
  if (kind !== undefined && other !== undefined) {
    throw new AdapterError(
      `${file}: module ${model.path} has parts of a ${kind.name} and of a ${other.name} adapter; only one can be meant.`,
    );
  }
  const bias = biasDifference(module);
  const own = kind?.read(module) ?? { changes: [] };
  const change = withNorms(module, own, kind?.name ?? "");
  const changes = [...change.changes, ...bias];
  if (change.lowRank === undefined && changes.length === 0) return undefined;
  return { ...change, changes };
}
