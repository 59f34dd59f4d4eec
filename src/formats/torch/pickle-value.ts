import type { StoredType } from "../safetensors-header.ts";

/**
 * What a pickle says, as plain data: nothing of it was executed. Whole numbers beyond 2^53 are `bigint`; the same object met
 * twice is the same value, so that objects may share parts, or hold themselves.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleSequence
  | PickleDict
  | PickleGlobal
  | PickleObject
  | TorchStorage
  | TorchTensor;

/** A list, a tuple or a set. */
export interface PickleSequence {
  readonly kind: "list" | "tuple" | "set";
  readonly items: PickleValue[];
}

/** A dictionary of any kind, in its order; keys that are no plain values are compared by identity. */
export interface PickleDict {
  readonly kind: "dict";
  readonly entries: Map<PickleValue, PickleValue>;
}

/** The name of a class or function, e.g. `torch.float16`; a name only. */
export interface PickleGlobal {
  readonly kind: "global";
  readonly name: string;
}

/** An object of a class that is not known here, kept inert: its class's name and what the file gives it. */
export interface PickleObject {
  readonly kind: "object";
  readonly className: string;
  readonly args: readonly PickleValue[];
  /** Its attributes, where the file sets them. */
  state: PickleValue | undefined;
}

/** A run of numbers in the file that tensors are views of. */
export interface TorchStorage {
  readonly kind: "storage";
  /** What the file calls it. */
  readonly key: string;
  /** Undefined where the type is one that no file of ours can hold, such as complex numbers; `typeName` names it. */
  readonly type: StoredType | undefined;
  /** torch's name of its class, e.g. `FloatStorage`. */
  readonly typeName: string;
  /** Its length in elements, as its reference says. */
  readonly elements: number;
  /** Where a part of the storage `key` only is meant, in elements; files before torch 1.0 have such. */
  readonly firstElement: number;
}

/** A view of a storage. */
export interface TorchTensor {
  readonly kind: "tensor";
  readonly storage: TorchStorage;
  readonly type: StoredType;
  readonly shape: readonly number[];
  /** In elements, one for each axis. */
  readonly strides: readonly number[];
  /** The first element within the storage, counted in elements of the tensor's type. */
  readonly offset: number;
}
