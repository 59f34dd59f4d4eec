import type { PickleMachine } from "./pickle-machine.ts";

/** What follows an operation's byte: so many bytes, as many as a count of 1, 4 or 8 bytes says, or so many lines of text. */
export type Argument = { readonly bytes: number } | { readonly countBytes: 1 | 4 | 8 } | { readonly lines: number };

/** One operation of a pickle. */
export interface Operation {
  readonly name: string;
  readonly argument: Argument;
  readonly run: (machine: PickleMachine, argument: Uint8Array) => void;
}

/** Far above what the sizes of a tensor need. */
const maxIntegerBytes = 256;

/** The newest protocol of Python's pickles. */
const newestProtocol = 5;

const nothing: Argument = { bytes: 0 };
const one: Argument = { bytes: 1 };
const four: Argument = { bytes: 4 };
const counted1: Argument = { countBytes: 1 };
const counted4: Argument = { countBytes: 4 };
const counted8: Argument = { countBytes: 8 };

/**
 * The operations that data and tensors need, by their byte, as `pickletools.py` of Python 3.12 defines them. Those that are
 * left out are the texts of protocol 0 (which torch never wrote), extension codes, instances by name, and buffers outside the
 * file.
 */
export const operations: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  op("\x80", "PROTO", one, (m, a) => {
    if (a[0]! > newestProtocol) throw m.damaged(`it is of protocol ${a[0]}, above ${newestProtocol}`);
  }),
  op("\x95", "FRAME", { bytes: 8 }, () => {}),
  op(".", "STOP", nothing, (m) => m.stop()),

  op("N", "NONE", nothing, (m) => m.push(null)),
  op("\x88", "NEWTRUE", nothing, (m) => m.push(true)),
  op("\x89", "NEWFALSE", nothing, (m) => m.push(false)),
  op("J", "BININT", four, (m, a) => m.push(unsigned(a) | 0)),
  op("K", "BININT1", one, (m, a) => m.push(unsigned(a))),
  op("M", "BININT2", { bytes: 2 }, (m, a) => m.push(unsigned(a))),
  op("\x8a", "LONG1", counted1, pushInteger),
  op("\x8b", "LONG4", counted4, pushInteger),
  op("G", "BINFLOAT", { bytes: 8 }, (m, a) => m.push(new DataView(a.buffer, a.byteOffset, 8).getFloat64(0))),
  op("X", "BINUNICODE", counted4, pushText),
  op("\x8c", "SHORT_BINUNICODE", counted1, pushText),
  op("\x8d", "BINUNICODE8", counted8, pushText),
  op("T", "BINSTRING", counted4, pushBytesAsText),
  op("U", "SHORT_BINSTRING", counted1, pushBytesAsText),
  op("B", "BINBYTES", counted4, (m, a) => m.push(a)),
  op("C", "SHORT_BINBYTES", counted1, (m, a) => m.push(a)),
  op("\x8e", "BINBYTES8", counted8, (m, a) => m.push(a)),
  op("\x96", "BYTEARRAY8", counted8, (m, a) => m.push(a)),

  op("]", "EMPTY_LIST", nothing, (m) => m.push({ kind: "list", items: [] })),
  op("l", "LIST", nothing, (m) => m.push({ kind: "list", items: m.popToMark() })),
  op("a", "APPEND", nothing, (m) => {
    const item = m.pop();
    m.extend(m.top(), [item], "list");
  }),
  op("e", "APPENDS", nothing, (m) => {
    const items = m.popToMark();
    m.extend(m.top(), items, "list");
  }),
  op("\x8f", "EMPTY_SET", nothing, (m) => m.push({ kind: "set", items: [] })),
  op("\x91", "FROZENSET", nothing, (m) => m.push({ kind: "set", items: m.popToMark() })),
  op("\x90", "ADDITEMS", nothing, (m) => {
    const items = m.popToMark();
    m.extend(m.top(), items, "set");
  }),
  op(")", "EMPTY_TUPLE", nothing, (m) => m.push({ kind: "tuple", items: [] })),
  op("t", "TUPLE", nothing, (m) => m.push({ kind: "tuple", items: m.popToMark() })),
  op("\x85", "TUPLE1", nothing, (m) => m.push({ kind: "tuple", items: m.popMany(1) })),
  op("\x86", "TUPLE2", nothing, (m) => m.push({ kind: "tuple", items: m.popMany(2) })),
  op("\x87", "TUPLE3", nothing, (m) => m.push({ kind: "tuple", items: m.popMany(3) })),
  op("}", "EMPTY_DICT", nothing, (m) => m.push({ kind: "dict", entries: new Map() })),
  op("d", "DICT", nothing, (m) => {
    const pairs = m.popToMark();
    m.push({ kind: "dict", entries: new Map() });
    m.assign(m.top(), pairs);
  }),
  op("s", "SETITEM", nothing, (m) => {
    const pair = m.popMany(2);
    m.assign(m.top(), pair);
  }),
  op("u", "SETITEMS", nothing, (m) => {
    const pairs = m.popToMark();
    m.assign(m.top(), pairs);
  }),

  op("(", "MARK", nothing, (m) => m.mark()),
  op("0", "POP", nothing, (m) => m.discard()),
  op("1", "POP_MARK", nothing, (m) => void m.popToMark()),
  op("2", "DUP", nothing, (m) => m.push(m.top())),
  op("h", "BINGET", one, (m, a) => m.recall(unsigned(a))),
  op("j", "LONG_BINGET", four, (m, a) => m.recall(unsigned(a))),
  op("q", "BINPUT", one, (m, a) => m.remember(unsigned(a))),
  op("r", "LONG_BINPUT", four, (m, a) => m.remember(unsigned(a))),
  op("\x94", "MEMOIZE", nothing, (m) => m.rememberNext()),

  op("c", "GLOBAL", { lines: 2 }, (m, a) => {
    const [module = "", name = ""] = utf8(a).split("\n");
    m.pushGlobal(module, name);
  }),
  op("\x93", "STACK_GLOBAL", nothing, (m) => {
    const [module, name] = m.popMany(2);
    if (typeof module !== "string" || typeof name !== "string") throw m.damaged("the name of a class is no text");
    m.pushGlobal(module, name);
  }),
  op("Q", "BINPERSID", nothing, (m) => m.push(m.fetch(m.pop()))),
  op("R", "REDUCE", nothing, (m) => {
    const [callee, args] = m.popMany(2);
    m.push(m.call(callee!, args!));
  }),
  op("\x81", "NEWOBJ", nothing, (m) => {
    const [className, args] = m.popMany(2);
    m.push(m.create(className!, args!));
  }),
  op("\x92", "NEWOBJ_EX", nothing, (m) => {
    const [className, args] = m.popMany(3);
    m.push(m.create(className!, args!));
  }),
  op("b", "BUILD", nothing, (m) => {
    const state = m.pop();
    m.build(m.top(), state);
  }),
]);

/** Operations that are refused, for the sentence that says so. */
export const refusedOperations: ReadonlyMap<number, string> = new Map(
  Object.entries({
    F: "FLOAT",
    I: "INT",
    L: "LONG",
    P: "PERSID",
    S: "STRING",
    V: "UNICODE",
    g: "GET",
    p: "PUT",
    i: "INST",
    o: "OBJ",
    "\x82": "EXT1",
    "\x83": "EXT2",
    "\x84": "EXT4",
    "\x97": "NEXT_BUFFER",
    "\x98": "READONLY_BUFFER",
  }).map(([character, name]) => [character.charCodeAt(0), name]),
);

function op(character: string, name: string, argument: Argument, run: Operation["run"]): [number, Operation] {
  return [character.charCodeAt(0), { name, argument, run }];
}

/** A little-endian number of at most four bytes. */
function unsigned(bytes: Uint8Array): number {
  let value = 0;
  for (let i = bytes.length - 1; i >= 0; i--) value = value * 256 + bytes[i]!;
  return value;
}

/** A little-endian number in two's complement. */
function pushInteger(machine: PickleMachine, bytes: Uint8Array): void {
  if (bytes.length > maxIntegerBytes) throw machine.damaged(`a whole number takes ${bytes.length} bytes`);
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  value = BigInt.asIntN(8 * bytes.length, value);
  const small = Number(value);
  machine.push(Number.isSafeInteger(small) ? small : value);
}

function pushText(machine: PickleMachine, bytes: Uint8Array): void {
  machine.push(utf8(bytes));
}

/** Python 2 knew no difference between texts and bytes: each byte becomes the character of its number. */
function pushBytesAsText(machine: PickleMachine, bytes: Uint8Array): void {
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; at += 4096) pieces.push(String.fromCharCode(...bytes.subarray(at, at + 4096)));
  machine.push(pieces.join(""));
}

function utf8(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}
