import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FormatError } from "../../src/errors.ts";
import { type ByteSource, bytesSource } from "../../src/formats/byte-source.ts";
import { openTensorFile } from "../../src/formats/open-tensor-file.ts";
import { storedBytes } from "../../src/formats/safetensors-header.ts";
import { readLocated } from "../../src/formats/tensor-file.ts";
import { operations } from "../../src/formats/torch/pickle-operations.ts";
import { elementCount } from "../../src/tensor/tensor.ts";
import { pickledNumber, pickledTensor, pickledText, torchLegacy, torchZip } from "../pickle-bytes.ts";

/** Files of every kind, made by scripts/fixtures/torch-files.py. */
const folder = "test/fixtures/torch";
const names = [
  "types.safetensors",
  "zip.ckpt",
  "zip-protocol4.ckpt",
  "legacy.ckpt",
  "legacy-protocol4.pt",
  "module.pt",
];
const seed = 20231109;

/** How a file is damaged, in parts of its length so that a case says the same of every file. */
type Damage =
  | { readonly kind: "set"; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: "insert"; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: "remove"; readonly at: number; readonly length: number }
  | { readonly kind: "copy"; readonly at: number; readonly to: number; readonly length: number }
  | { readonly kind: "cut"; readonly at: number };

const place = fc.double({ min: 0, max: 1, noNaN: true });
const length = fc.integer({ min: 1, max: 40 });
const extremes = fc.constantFrom(0x00, 0x01, 0x7f, 0x80, 0xff, 0x52, 0x62, 0x7d, 0x30, 0x39);
const some = fc.array(fc.oneof(extremes, fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 });
const bytes = some.map((values) => Uint8Array.from(values));
const damage: fc.Arbitrary<Damage> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("set" as const), at: place, bytes }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("insert" as const), at: place, bytes }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("remove" as const), at: place, length }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("copy" as const), at: place, to: place, length }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cut" as const), at: place }) },
);

function damaged(file: Uint8Array, damages: readonly Damage[]): Uint8Array {
  let now = Buffer.from(file);
  for (const each of damages) {
    const at = Math.floor(each.at * now.length);
    if (each.kind === "set") now.set(each.bytes.subarray(0, now.length - at), at);
    else if (each.kind === "insert") now = Buffer.concat([now.subarray(0, at), each.bytes, now.subarray(at)]);
    else if (each.kind === "remove") now = Buffer.concat([now.subarray(0, at), now.subarray(at + each.length)]);
    else if (each.kind === "copy") now.copyWithin(Math.floor(each.to * now.length), at, at + each.length);
    else now = now.subarray(0, at);
  }
  return new Uint8Array(now);
}

/** Bytes as a source that allocates no more than they are, and remembers how much it was asked for. */
function watched(content: Uint8Array): ByteSource & { readonly total: () => number } {
  const inner = bytesSource("fuzzed.ckpt", content);
  let total = 0;
  return {
    ...inner,
    async read(offset: number, count: number): Promise<Uint8Array> {
      const read = await inner.read(offset, count);
      total += read.length;
      return read.slice();
    },
    total: () => total,
  };
}

/** Opens a file and reads its tensors: true when it is whole, false when it is refused as it should be. */
async function outcome(content: Uint8Array): Promise<boolean> {
  const source = watched(content);
  try {
    const { tensors } = await openTensorFile(source);
    // Of a legacy file each of five pickles is read in a window of at most the file.
    expect(source.total()).toBeLessThanOrEqual(6 * content.length);
    for (const { entry } of tensors.values()) {
      expect(entry.begin).toBeGreaterThanOrEqual(0);
      expect(entry.end).toBeGreaterThanOrEqual(entry.begin);
      expect(entry.end).toBeLessThanOrEqual(content.length);
      expect(elementCount(entry.shape) * storedBytes(entry.type)).toBeLessThanOrEqual(content.length);
    }
    let whole = true;
    for (const located of tensors.values()) {
      const read = await readLocated(located).catch((error: unknown) => error);
      if (read instanceof FormatError) whole = false;
      else expect((read as { shape: unknown }).shape).toEqual(located.entry.shape);
    }
    return whole;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    expect(error.message).toMatch(/^fuzzed\.ckpt: [^\n]*\.$/);
    return false;
  }
}

describe("a damaged file is read or refused, never more", () => {
  it.each(names)("%s", async (name) => {
    const file = readFileSync(`${folder}/${name}`);
    const outcomes = { whole: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 4 }), async (damages) => {
        outcomes[(await outcome(damaged(file, damages))) ? "whole" : "refused"]++;
      }),
      { seed, numRuns: 400 },
    );
    // Both happen, or the damage would be too small or too large to say anything.
    expect(outcomes.whole).toBeGreaterThan(0);
    expect(outcomes.refused).toBeGreaterThan(0);
  });
});

/** Operations with arguments that are right more often than not. */
const argument = (fixed: number): fc.Arbitrary<string> =>
  fc
    .array(fc.integer({ min: 0, max: 255 }), { minLength: fixed, maxLength: fixed })
    .map((a) => String.fromCharCode(...a));
const globals = fc.constantFrom(
  "ctorch._utils\n_rebuild_tensor_v2\n",
  "ctorch._utils\n_rebuild_parameter\n",
  "ctorch._tensor\n_rebuild_from_type_v2\n",
  "ctorch\nSize\n",
  "ctorch\nHalfStorage\n",
  "ccollections\nOrderedDict\n",
  "cbuiltins\nset\n",
  "cnumpy\ndtype\n",
  "cnumpy.core.multiarray\nscalar\n",
  "cos\nsystem\n",
  "cunknown\nClass\n",
);
const pieces: fc.Arbitrary<string> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom(
      ...Array.from("()N]}aeus0tRbQ2", String),
      "\x81",
      "\x85",
      "\x86",
      "\x87",
      "\x94",
      "\x8f",
      "\x90",
    ),
  },
  { weight: 3, arbitrary: fc.constantFrom("q\0", "q\x01", "h\0", "h\x01") },
  { weight: 2, arbitrary: fc.integer({ min: -2, max: 2 ** 53 }).map(pickledNumber) },
  { weight: 2, arbitrary: fc.constantFrom("storage", "0", "w", "__proto__", "state_dict").map(pickledText) },
  { weight: 3, arbitrary: globals },
  {
    weight: 2,
    arbitrary: fc
      .record({
        shape: fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 3 }),
        offset: fc.integer({ min: 0, max: 3 }),
        elements: fc.constantFrom(8, 8, 8, 9),
      })
      .map(pickledTensor),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(...operations)
      .chain(([code, { argument: kind }]) =>
        argument("bytes" in kind ? kind.bytes : 4).map((text) => String.fromCharCode(code) + text),
      ),
  },
);

describe("a pickle of any operations is followed or refused, never more", () => {
  it.each(["zip", "legacy"])("in a %s file", async (form) => {
    const storage = new Uint8Array(32);
    const outcomes = { whole: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(pieces, { maxLength: 25 }), async (program) => {
        const text = program.join("");
        const file = form === "zip" ? torchZip(text, { 0: storage }) : torchLegacy(text, [["0", 8, storage]]);
        outcomes[(await outcome(file)) ? "whole" : "refused"]++;
      }),
      { seed, numRuns: 1500 },
    );
    expect(outcomes.whole).toBeGreaterThan(0);
    expect(outcomes.refused).toBeGreaterThan(0);
  });
});
