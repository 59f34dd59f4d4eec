import { type TestFile, zipBytes } from "./zip-bytes.ts";

/** A text as pickles write it: the operation BINUNICODE. */
export function pickledText(text: string): string {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return `X${length.toString("latin1")}${bytes.toString("latin1")}`;
}

/** A whole number as pickles write it: the operation LONG1, of eight bytes. */
export function pickledNumber(value: number): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(value));
  return `\x8a\x08${bytes.toString("latin1")}`;
}

/** A tuple of values that are pickled already. */
export function pickledTuple(...values: string[]): string {
  return `(${values.join("")}t`;
}

export interface TestTensor {
  readonly shape: readonly number[];
  readonly strides?: readonly number[];
  readonly offset?: number;
  readonly key?: string;
  /** Elements of the storage. */
  readonly elements: number;
  /** torch's class of the storage. */
  readonly storage?: string;
}

/** The operations that make a tensor as torch.save writes them. */
export function pickledTensor(tensor: TestTensor): string {
  const { shape, offset = 0, key = "0", elements, storage = "FloatStorage" } = tensor;
  const strides = tensor.strides ?? shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const reference = pickledTuple(
    pickledText("storage"),
    `ctorch\n${storage}\n`,
    pickledText(key),
    pickledText("cpu"),
    pickledNumber(elements),
  );
  return `ctorch._utils\n_rebuild_tensor_v2\n${pickledTuple(
    `${reference}Q`,
    pickledNumber(offset),
    pickledTuple(...shape.map(pickledNumber)),
    pickledTuple(...strides.map(pickledNumber)),
    "\x89",
    "ccollections\nOrderedDict\n)R",
  )}R`;
}

/** A whole pickle of protocol 2. */
export function pickle(operations: string): string {
  return `\x80\x02${operations}.`;
}

/** A file as torch.save writes it: the pickle, and storages by their key. */
export function torchZip(
  operations: string,
  storages: Readonly<Record<string, Uint8Array>> = {},
): Uint8Array<ArrayBuffer> {
  return zipBytes(torchFiles(operations, storages));
}

/** What is in such a file. */
export function torchFiles(operations: string, storages: Readonly<Record<string, Uint8Array>> = {}): TestFile[] {
  return [
    { name: "archive/data.pkl", content: pickle(operations) },
    { name: "archive/byteorder", content: "little" },
    ...Object.entries(storages).map(([key, content]) => ({ name: `archive/data/${key}`, content })),
    { name: "archive/version", content: "3\n" },
  ];
}

/** A file as torch.save wrote it before torch 1.6. */
export function torchLegacy(
  operations: string,
  storages: readonly (readonly [key: string, elements: number, bytes: Uint8Array])[] = [],
): Uint8Array<ArrayBuffer> {
  const head = [
    "\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19",
    "M\xe9\x03",
    `}${pickledText("little_endian")}\x88s`,
    operations,
    `](${storages.map(([key]) => pickledText(key)).join("")}e`,
  ].map((part) => Buffer.from(pickle(part), "latin1"));
  const tail = storages.flatMap(([, elements, bytes]) => {
    const length = Buffer.alloc(8);
    length.writeBigInt64LE(BigInt(elements));
    return [length, Buffer.from(bytes)];
  });
  return new Uint8Array(Buffer.concat([...head, ...tail]));
}
