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
  | PickleSequence<"list">
  | PickleSequence<"tuple">
  | PickleSequence<"set">
  | PickleDict
  | PickleGlobal
  | PickleObject
  | TorchStorage
  | TorchTensor;

/** A list, a tuple or a set. */
export interface PickleSequence<K extends "list" | "tuple" | "set"> {
  readonly kind: K;
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
  /** What it holds as a kind of dictionary or list. */
  entries: Map<PickleValue, PickleValue> | undefined;
  items: PickleValue[] | undefined;
}

/** A run of numbers in the file that tensors are views of; counts are in elements of `type`. */
export interface TorchStorage {
  readonly kind: "storage";
  /** What the file calls it. */
  readonly key: string;
  readonly type: StoredType;
  /** Length of all that lies under `key`. */
  readonly elements: number;
  /** The part that is meant, which is all of it but in files of torch before 1.0. */
  readonly begin: number;
  readonly end: number;
}

/** A view of a storage. */
export interface TorchTensor {
  readonly kind: "tensor";
  readonly storage: TorchStorage;
  readonly type: StoredType;
  readonly shape: readonly number[];
  /** In elements, one for each axis. */
  readonly strides: readonly number[];
  /** The first element within the storage's part, in elements of the tensor's type. */
  readonly offset: number;
}

/** An inert object. */
export function inertObject(className: string, args: readonly PickleValue[]): PickleObject {
  return { kind: "object", className, args, state: undefined, entries: undefined, items: undefined };
}

/** What kind of value this is, `undefined` for none. */
export function kindOfValue(value: PickleValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "None";
  if (value instanceof Uint8Array) return "bytes";
  if (typeof value === "object") return value.kind;
  return typeof value;
}

/** Whether a value is an object of ours with this kind. */
export function isKind<K extends Kinded["kind"]>(
  value: PickleValue | undefined,
  kind: K,
): value is Extract<Kinded, { kind: K }> {
  return typeof value === "object" && value !== null && !(value instanceof Uint8Array) && value.kind === kind;
}

type Kinded = Exclude<PickleValue, null | boolean | number | bigint | string | Uint8Array>;
