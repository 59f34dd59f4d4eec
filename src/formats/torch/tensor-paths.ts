import { FormatError } from "../../errors.ts";
import { shorten } from "../json.ts";
import { isKind, type PickleObject, type PickleValue, type TorchTensor } from "./pickle-value.ts";

/** Checkpoints nest four or five levels. */
const maxDepth = 64;

/** SDXL's 2,515 tensors with their optimizer's state are 11,000 values; shared parts count each time that they are met. */
const maxValues = 250_000;

/** Names of tensors are far shorter. */
const maxPathLength = 1024;

/** Where a module of torch that was saved whole keeps its parameters, buffers and inner modules. */
const moduleParts = ["_parameters", "_buffers", "_modules"] as const;

/**
 * All tensors within a pickle's content by their paths: keys of dictionaries and places in lists, joined by dots. A module of
 * torch that was saved whole gives the names of its state dictionary; a content that is a tensor itself is called `tensor`.
 * Objects of other classes are not looked into.
 * @throws FormatError when the content holds itself, two tensors have one path, or it is beyond all measure
 */
export function tensorPaths(content: PickleValue, file: string): Map<string, TorchTensor> {
  const found = new Map<string, TorchTensor>();
  const open = new Set<PickleValue>();
  let values = 0;
  const visit = (value: PickleValue, path: string): void => {
    if (++values > maxValues) {
      throw new FormatError(
        `${file}: its content unfolds to more than ${maxValues} values, which no checkpoint needs.`,
      );
    }
    if (isKind(value, "tensor")) {
      const name = path === "" ? "tensor" : path;
      if (found.has(name)) throw new FormatError(`${file}: two tensors have the name "${shorten(name)}".`);
      found.set(name, value);
      return;
    }
    const inner = childrenOf(value);
    if (inner === undefined) return;
    const place = path === "" ? "its content" : `"${shorten(path)}"`;
    if (open.has(value)) throw new FormatError(`${file}: ${place} contains itself.`);
    if (open.size >= maxDepth) throw new FormatError(`${file}: ${place} is nested more than ${maxDepth} levels deep.`);
    open.add(value);
    for (const [key, child] of inner) {
      const name = key === undefined ? path : path === "" ? key : `${path}.${key}`;
      if (name.length > maxPathLength) {
        throw new FormatError(`${file}: a name within ${place} has more than ${maxPathLength} characters.`);
      }
      visit(child, name);
    }
    open.delete(value);
  };
  visit(content, "");
  return found;
}

/** What lies within a value, by key; without a key where it stands for the value itself. Undefined for plain values. */
function childrenOf(value: PickleValue): Iterable<readonly [string | undefined, PickleValue]> | undefined {
  if (isKind(value, "dict")) return entriesOf(value.entries);
  if (isKind(value, "list") || isKind(value, "tuple")) return itemsOf(value.items);
  if (isKind(value, "object")) return partsOf(value);
  return undefined;
}

function* partsOf(object: PickleObject): Generator<readonly [string | undefined, PickleValue]> {
  if (object.entries !== undefined) yield* entriesOf(object.entries);
  if (object.items !== undefined) yield* itemsOf(object.items);
  // Objects with slots have two dictionaries of attributes.
  const state = isKind(object.state, "tuple") ? object.state.items[0] : object.state;
  if (!isKind(state, "dict")) return;
  for (const part of moduleParts) {
    const inner = state.entries.get(part);
    if (isKind(inner, "dict")) yield [undefined, inner];
  }
}

function* entriesOf(entries: ReadonlyMap<PickleValue, PickleValue>): Generator<readonly [string, PickleValue]> {
  for (const [key, value] of entries) {
    // Nothing can be called by a key that is a tuple or an object.
    if (isKind(key, "global")) yield [key.name, value];
    else if (key === null || typeof key !== "object") yield [String(key), value];
  }
}

function* itemsOf(items: readonly PickleValue[]): Generator<readonly [string, PickleValue]> {
  for (const [i, value] of items.entries()) yield [String(i), value];
}
