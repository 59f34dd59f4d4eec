import type { CallContext } from "./pickle-calls.ts";
import { inertObject, isKind, type PickleValue } from "./pickle-value.ts";

/** How numpy's types of one number are read, by their name: kind and bytes. */
const readers: Readonly<Record<string, (view: DataView, little: boolean) => number | bigint | boolean>> = {
  b1: (view) => view.getUint8(0) !== 0,
  i1: (view) => view.getInt8(0),
  u1: (view) => view.getUint8(0),
  i2: (view, little) => view.getInt16(0, little),
  u2: (view, little) => view.getUint16(0, little),
  i4: (view, little) => view.getInt32(0, little),
  u4: (view, little) => view.getUint32(0, little),
  i8: (view, little) => shortest(view.getBigInt64(0, little)),
  u8: (view, little) => shortest(view.getBigUint64(0, little)),
  f4: (view, little) => view.getFloat32(0, little),
  f8: (view, little) => view.getFloat64(0, little),
};

/**
 * The number that `numpy.core.multiarray.scalar(dtype, bytes)` stands for, as training programs keep counts and losses; one of
 * another type stays inert.
 * @throws FormatError when the bytes are not as many as the type has
 */
export function numpyScalar(context: CallContext, args: readonly PickleValue[]): PickleValue {
  const [type, content] = args;
  if (!isKind(type, "object") || type.className !== "numpy.dtype") throw context.damaged("a numpy scalar has no dtype");
  const name = type.args[0];
  const reader = typeof name === "string" && Object.hasOwn(readers, name) ? readers[name] : undefined;
  if (reader === undefined || typeof name !== "string") return inertObject("numpy.generic", args);
  const bytes = bytesOf(content);
  if (bytes?.length !== Number(name.slice(1))) throw context.damaged(`a numpy scalar of type ${name} has other bytes`);
  const byteOrder = isKind(type.state, "tuple") ? type.state.items[1] : "<";
  return reader(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), byteOrder !== ">");
}

/** Bytes, or the text that stands for them (see `_codecs.encode`); undefined when they are more than a number has. */
function bytesOf(value: PickleValue | undefined): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  return typeof value === "string" && value.length <= 8 ? Uint8Array.from(value, (c) => c.charCodeAt(0)) : undefined;
}

function shortest(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
