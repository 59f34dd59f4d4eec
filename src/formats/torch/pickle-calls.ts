import type { FormatError } from "../../errors.ts";
import { shorten } from "../json.ts";
import { numpyScalar } from "./numpy-scalar.ts";
import {
  inertObject,
  isKind,
  kindOfValue,
  type PickleDict,
  type PickleValue,
  type TorchStorage,
} from "./pickle-value.ts";
import { rebuildTensor } from "./torch-objects.ts";

/** What a call may need of the machine. */
export interface CallContext {
  /** Names of unknown classes. */
  readonly inertClasses: Set<string>;
  /** Storages that were referred to, by their key. */
  readonly storages: Map<string, TorchStorage>;
  /** Counts work that does not grow with the pickle. @throws FormatError when it is too much */
  spend(steps: number): void;
  /** The error for a value that does not fit. */
  damaged(what: string): FormatError;
  /** The error for something that is whole and not allowed. */
  refused(what: string): FormatError;
}

/** What a function does to its arguments, in plain data. */
type Call = (context: CallContext, args: readonly PickleValue[], name: string) => PickleValue;

const firstArgument: Call = (context, args, name) => {
  if (args[0] === undefined) throw context.damaged(`${name} lacks its argument`);
  return args[0];
};

const tensor: Call = (context, args, name) => rebuildTensor(context, args, name);

const inert: Call = (_, args, name) => inertObject(name, args);

/** The functions that build tensors, which a tensor of a class of its own may name again. */
const tensorCalls: Readonly<Record<string, Call>> = {
  "torch._utils._rebuild_tensor": tensor,
  "torch._utils._rebuild_tensor_v2": tensor,
  "torch._utils._rebuild_tensor_v3": tensor,
  "torch._utils._rebuild_parameter": firstArgument,
  "torch._utils._rebuild_parameter_with_state": firstArgument,
};

/** All functions that a pickle may call. Those that are inert give objects that nothing of ours looks into. */
const calls: Readonly<Record<string, Call>> = {
  ...tensorCalls,
  "torch._tensor._rebuild_from_type_v2": (context, [callee, , args]) => {
    const name = isKind(callee, "global") ? callee.name : "";
    const call = Object.hasOwn(tensorCalls, name) ? tensorCalls[name] : undefined;
    if (call === undefined) throw unknownCall(context, name || kindOfValue(callee));
    return call(context, argumentsOf(context, args), name);
  },
  "torch.Size": (context, [sizes]) => ({ kind: "tuple", items: itemsOf(context, sizes, "torch.Size") }),
  "torch.device": inert,
  "torch.serialization._get_layout": inert,
  "collections.OrderedDict": (context, [content]) => dictOf(context, content, "collections.OrderedDict"),
  "collections.defaultdict": (context, [, content]) => dictOf(context, content, "collections.defaultdict"),
  "collections.Counter": (context, [content]) => dictOf(context, content, "collections.Counter"),
  "builtins.set": (context, [items]) => ({ kind: "set", items: itemsOf(context, items, "set") }),
  "builtins.frozenset": (context, [items]) => ({ kind: "set", items: itemsOf(context, items, "frozenset") }),
  "builtins.bytearray": inert,
  "builtins.complex": inert,
  "builtins.range": inert,
  "builtins.slice": inert,
  "_codecs.encode": (context, [text, encoding]) => {
    // Bytes in protocol 2: each is the character of its number. They stay so; copies of a long one would cost much.
    if (typeof text === "string" && encoding === "latin1") return text;
    throw context.damaged(`it encodes ${kindOfValue(text)} otherwise than as latin1`);
  },
  "numpy.dtype": inert,
  "numpy.core.multiarray.scalar": numpyScalar,
  "numpy._core.multiarray.scalar": numpyScalar,
  "numpy.core.multiarray._reconstruct": (_, args) => inertObject("numpy.ndarray", args),
  "numpy._core.multiarray._reconstruct": (_, args) => inertObject("numpy.ndarray", args),
  "copyreg._reconstructor": (context, args) =>
    createObject(context, args[0] ?? null, { kind: "tuple", items: args.slice(1) }),
  "datetime.date": inert,
  "datetime.datetime": inert,
  "datetime.timedelta": inert,
  "datetime.timezone": inert,
  "pathlib.Path": inert,
  "pathlib.PosixPath": inert,
  "pathlib.PurePosixPath": inert,
  "pathlib.PureWindowsPath": inert,
  "pathlib.WindowsPath": inert,
};

/** Dictionaries of Python's own library, which are created as any class is. */
const dictionaries: ReadonlySet<string> = new Set([
  "builtins.dict",
  "collections.Counter",
  "collections.OrderedDict",
  "collections.defaultdict",
]);

/**
 * What a function of the list gives for these arguments.
 * @throws FormatError naming the function when it is not in the list
 */
export function callFunction(context: CallContext, callee: PickleValue, args: PickleValue): PickleValue {
  const name = isKind(callee, "global") ? callee.name : undefined;
  if (name === undefined) throw context.damaged(`it calls ${kindOfValue(callee)} as if it were a function`);
  const call = Object.hasOwn(calls, name) ? calls[name] : undefined;
  if (call === undefined) throw unknownCall(context, name);
  return call(context, argumentsOf(context, args), name);
}

/** A new object of a class: plain data for the dictionaries of Python's library, else inert. */
export function createObject(context: CallContext, type: PickleValue, args: PickleValue): PickleValue {
  if (!isKind(type, "global")) throw context.damaged(`it creates an object of ${kindOfValue(type)}`);
  if (dictionaries.has(type.name)) return { kind: "dict", entries: new Map() };
  context.inertClasses.add(type.name);
  return inertObject(type.name, argumentsOf(context, args));
}

function unknownCall(context: CallContext, name: string): FormatError {
  return context.refused(
    `its pickle calls "${shorten(name)}", which no tensor needs and which could do harm; nothing of it was run. Use the model only if you trust where it comes from, saved anew as safetensors.`,
  );
}

function argumentsOf(context: CallContext, args: PickleValue | undefined): PickleValue[] {
  if (isKind(args, "tuple")) return args.items;
  throw context.damaged(`the arguments of a call are ${kindOfValue(args)}, and no tuple`);
}

function itemsOf(context: CallContext, value: PickleValue | undefined, what: string): PickleValue[] {
  if (value === undefined) return [];
  if (isKind(value, "list") || isKind(value, "tuple") || isKind(value, "set")) {
    context.spend(value.items.length);
    return value.items.slice();
  }
  throw context.damaged(`${what} is made of ${kindOfValue(value)}`);
}

function dictOf(context: CallContext, content: PickleValue | undefined, what: string): PickleDict {
  if (isKind(content, "dict")) {
    context.spend(content.entries.size);
    return { kind: "dict", entries: new Map(content.entries) };
  }
  const entries = new Map<PickleValue, PickleValue>();
  for (const pair of itemsOf(context, content, what)) {
    const [key, value, ...more] = itemsOf(context, pair, what);
    if (key === undefined || value === undefined || more.length > 0) {
      throw context.damaged(`${what} is made of something else than pairs`);
    }
    entries.set(key, value);
  }
  return { kind: "dict", entries };
}
