import { type StoredType, storedBytes } from "../safetensors-header.ts";
import { claimedElements, rowMajorStrides, spannedElements } from "../strides.ts";
import type { CallContext } from "./pickle-calls.ts";
import { isKind, kindOfValue, type PickleValue, type TorchStorage, type TorchTensor } from "./pickle-value.ts";

/** Far more axes than the tensors of any network have. */
const maxRank = 32;

/** torch's classes of storages. */
const storageTypes: Readonly<Record<string, StoredType>> = {
  DoubleStorage: "float64",
  FloatStorage: "float32",
  HalfStorage: "float16",
  BFloat16Storage: "bfloat16",
  LongStorage: "int64",
  IntStorage: "int32",
  ShortStorage: "int16",
  CharStorage: "int8",
  ByteStorage: "uint8",
  BoolStorage: "bool",
  // Bytes whose type each tensor says for itself.
  UntypedStorage: "uint8",
};

/** torch's names of element types. */
const elementTypes: Readonly<Record<string, StoredType>> = {
  "torch.float64": "float64",
  "torch.float32": "float32",
  "torch.float16": "float16",
  "torch.bfloat16": "bfloat16",
  "torch.float8_e4m3fn": "float8_e4m3",
  "torch.float8_e5m2": "float8_e5m2",
  "torch.int64": "int64",
  "torch.int32": "int32",
  "torch.int16": "int16",
  "torch.int8": "int8",
  "torch.uint64": "uint64",
  "torch.uint32": "uint32",
  "torch.uint16": "uint16",
  "torch.uint8": "uint8",
  "torch.bool": "bool",
};

/**
 * What a persistent id stands for: a storage, `("storage", class, key, device, elements)` with a sixth part, in files of
 * torch before 1.0, for a view of another storage; or a class of modules, `("module", class, file, source)`.
 * @throws FormatError when it is anything else
 */
export function persistentValue(context: CallContext, id: PickleValue): PickleValue {
  const parts = isKind(id, "tuple") ? id.items : [];
  const [tag, type, key, , elements, view] = parts;
  if (tag === "module" && isKind(type, "global")) return type;
  if (tag !== "storage") throw context.damaged("it refers to something else than a storage outside itself");
  if (!isKind(type, "global") || typeof key !== "string" || !isCount(elements)) {
    throw context.damaged("the reference to a storage lacks its class, key or length");
  }
  const stored = storageType(context, type.name);
  const whole: TorchStorage = { kind: "storage", key, type: stored, elements, begin: 0, end: elements };
  if (!context.storages.has(key)) context.storages.set(key, whole);
  if (view === undefined || view === null) return whole;
  const [, begin, length] = isKind(view, "tuple") ? view.items : [];
  if (!isCount(begin) || !isCount(length) || begin + length > elements) {
    throw context.damaged(`a view of the storage "${key}" leaves it`);
  }
  return { ...whole, begin, end: begin + length };
}

function storageType(context: CallContext, name: string): StoredType {
  const [, short] = /^torch(?:\.cuda|\.storage)?\.(\w+)$/.exec(name) ?? [];
  const type = short !== undefined && Object.hasOwn(storageTypes, short) ? storageTypes[short] : undefined;
  if (type === undefined) throw context.refused(`its tensors are of type "${name}", which is not read here.`);
  return type;
}

/**
 * The tensor of `_rebuild_tensor(storage, offset, shape, strides)` and its later versions; the third says the element type in
 * its seventh argument.
 * @throws FormatError when an argument is mistyped, or the tensor leaves its storage
 */
export function rebuildTensor(context: CallContext, args: readonly PickleValue[], name: string): TorchTensor {
  const [storage, offset, sizes, steps, , , dtype] = args;
  if (!isKind(storage, "storage")) throw context.damaged(`a tensor is made of ${kindOfValue(storage)}, and no storage`);
  const shape = countsOf(context, sizes, "shape");
  const strides = countsOf(context, steps, "strides");
  if (!isCount(offset) || shape.length !== strides.length || claimedElements(shape) === undefined) {
    throw context.damaged(`a tensor of shape [${shape.join(", ")}] has strides [${strides.join(", ")}]`);
  }
  const type = name.endsWith("_v3") ? elementType(context, dtype) : storage.type;
  const held = (storage.end - storage.begin) * storedBytes(storage.type);
  const needed = (offset + spannedElements(shape, strides)) * storedBytes(type);
  if (!(needed <= held)) {
    throw context.damaged(
      `a tensor of shape [${shape.join(", ")}] needs ${needed} bytes of storage "${storage.key}", which has ${held}`,
    );
  }
  // An axis of no length leaves strides without a meaning.
  return {
    kind: "tensor",
    storage,
    type,
    shape,
    strides: shape.includes(0) ? rowMajorStrides(shape) : strides,
    offset,
  };
}

function elementType(context: CallContext, dtype: PickleValue | undefined): StoredType {
  const name = isKind(dtype, "global") ? dtype.name : kindOfValue(dtype);
  const type = Object.hasOwn(elementTypes, name) ? elementTypes[name] : undefined;
  if (type === undefined) throw context.refused(`it holds a tensor of type "${name}", which is not read here.`);
  return type;
}

function countsOf(context: CallContext, value: PickleValue | undefined, what: string): number[] {
  const items = isKind(value, "tuple") || isKind(value, "list") ? value.items : undefined;
  if (items !== undefined && items.length <= maxRank && items.every(isCount)) return items.slice();
  throw context.damaged(`the ${what} of a tensor must be at most ${maxRank} whole numbers of at least 0`);
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
