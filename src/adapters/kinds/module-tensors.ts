import { AdapterError } from "../../errors.ts";
import { toFloat32 } from "../../tensor/convert.ts";
import { elementCount, type Tensor } from "../../tensor/tensor.ts";
import type { AlphaRule } from "../alpha.ts";
import type { ParameterChange } from "../change.ts";
import type { AdapterRole } from "../keys/dialect.ts";
import { quoted } from "../keys/match.ts";
import type { LoraModule } from "../lora.ts";
import type { ModuleShape } from "../targets.ts";

/** What a file holds for one module of the model. */
export interface ModuleTensors {
  readonly file: string;
  readonly model: ModuleShape;
  readonly keys: ReadonlyMap<AdapterRole, string>;
  readonly tensors: ReadonlyMap<AdapterRole, Tensor>;
  /** Alpha where there is no tensor for it. */
  readonly alphaRule: AlphaRule;
}

/** What an adapter makes of one module: a low-rank product, or other changes. */
export interface ModuleChange {
  readonly lowRank?: LoraModule;
  readonly changes: readonly ParameterChange[];
}

/** A kind of adapter, told by the tensors that it has. */
export interface AdapterKind {
  /** As people call it. */
  readonly name: string;
  /** Roles that no other kind has; one of them shows that a module is of this kind. */
  readonly marks: readonly AdapterRole[];
  /** @throws AdapterError when a part is missing or does not fit the model */
  readonly read: (module: ModuleTensors) => ModuleChange;
}

/** A part that must be there. @throws AdapterError naming what is there and what is missing */
export function needed({ file, model, keys, tensors }: ModuleTensors, role: AdapterRole, called: string): Tensor {
  const tensor = tensors.get(role);
  if (tensor !== undefined) return tensor;
  const [there = ""] = keys.values();
  throw new AdapterError(
    `${file}: of module ${model.path} there is ${quoted(there)}, but its ${called} is missing; the file is incomplete.`,
  );
}

/** A tensor's numbers in float32. */
export function numbers(tensor: Tensor): Float32Array {
  return toFloat32(tensor).data;
}

/** `[a, b]`: the shape as a matrix, all but the first side in one. */
export function matrixShape({ shape }: Tensor): readonly [rows: number, columns: number] {
  const [rows = 1, ...inner] = shape;
  return [rows, elementCount(inner)];
}

/**
 * Alpha of the module: its own tensor's, or else by the rule.
 * @throws AdapterError when it is no finite number other than zero
 */
export function alphaOf(module: ModuleTensors, rank: number): number {
  const tensor = module.tensors.get("alpha");
  const key = module.keys.get("alpha") ?? "";
  if (tensor === undefined) return module.alphaRule(module.model.path, rank);
  const alpha = elementCount(tensor.shape) === 1 ? numbers(tensor)[0] : undefined;
  if (alpha === undefined || !Number.isFinite(alpha)) {
    throw new AdapterError(
      `${module.file}: ${quoted(key)} must be one finite number, but it is ${alpha ?? "something else"}.`,
    );
  }
  if (alpha === 0) {
    throw new AdapterError(
      `${module.file}: ${quoted(key)} is 0, so that the module would change nothing; alpha must be another number.`,
    );
  }
  return alpha;
}

/** The error that a module was made for another model. */
export function misfit({ file, model, keys, tensors }: ModuleTensors): AdapterError {
  const parts = [...keys.keys()].filter((role) => role !== "alpha");
  const written = parts.map((role, i) => {
    const { shape, type } = tensors.get(role)!;
    const name = partNames[role] ?? tensorName(keys.get(role)!);
    return `${name} ${i === 0 ? "is " : ""}[${shape.join(", ")}] (${type})`;
  });
  return new AdapterError(
    `${file}: module ${model.path} has a weight of [${model.weight.join(", ")}] in this model, but the file's ${joined(written)}; it was made for another model, or is damaged.`,
  );
}

/** The end of a key that names the tensor, as its program calls it. */
function tensorName(key: string): string {
  const [name = "", owner] = key.split(".").reverse();
  return name === "weight" && owner !== undefined ? owner : name;
}

const partNames: Readonly<Partial<Record<AdapterRole, string>>> = {
  down: "down part",
  up: "up part",
  mid: "middle part",
};

function joined(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", its ")} and its ${parts.at(-1)}`;
}

/** Whether all numbers of a tensor are zero. */
export function allZero(tensor: Tensor): boolean {
  return numbers(tensor).every((x) => x === 0);
}

/** How many numbers these tensors have together. */
export function sizeOf(tensors: readonly (Tensor | undefined)[]): number {
  return tensors.reduce((sum, tensor) => sum + (tensor === undefined ? 0 : elementCount(tensor.shape)), 0);
}
