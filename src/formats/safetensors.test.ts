import { existsSync, readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FormatError } from "../errors.ts";
import { float32, int64, type Tensor, tensor } from "../tensor/tensor.ts";
import { bytesSource } from "./byte-source.ts";
import { decodeSafetensors, encodeSafetensors, readFloat32, readSafetensorsHeader, readTensor } from "./safetensors.ts";
import { parseSafetensorsHeader } from "./safetensors-header.ts";

const sample: Record<string, Tensor> = {
  "b.weight": float32([2, 3], [1, -2, 3.5, 0, -0, 1e-30]),
  "a.bits": tensor("float16", [3], Uint16Array.of(0x3c00, 0xc000, 0x7bff)),
  ids: int64([2], [7, -9]),
  flag: tensor("bool", [3], Uint8Array.of(1, 0, 1)),
  small: tensor("int8", [], Int8Array.of(-5)),
  empty: float32([0, 4], []),
  "7": tensor("float64", [1], Float64Array.of(Math.PI)),
  wide: tensor("bfloat16", [1], Uint16Array.of(0x3f80)),
  whole: tensor("int32", [1], Int32Array.of(-2147483648)),
};

const bytesOf = ({ data }: Tensor): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** A file with the given header text, followed by `dataBytes` zero bytes. */
function file(header: string, dataBytes: number): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

describe("encodeSafetensors", () => {
  it("gives back every tensor and the metadata", async () => {
    const bytes = encodeSafetensors(sample, { format: "pt", author: "ünïcode" });
    const source = bytesSource("sample", bytes);
    const header = await readSafetensorsHeader(source);
    expect(Object.fromEntries(header.metadata)).toEqual({ format: "pt", author: "ünïcode" });
    expect(header.tensors.size).toBe(Object.keys(sample).length);
    for (const [name, expected] of Object.entries(sample)) {
      expect(await readTensor(source, header, name)).toEqual(expected);
      expect(decodeSafetensors(bytes, "sample").get(name)).toEqual(expected);
    }
  });

  it("reads the 16-bit types as float32", async () => {
    const source = bytesSource("sample", encodeSafetensors(sample));
    const header = await readSafetensorsHeader(source);
    expect(await readFloat32(source, header, "a.bits")).toEqual(float32([3], [1, -2, 65504]));
    expect(await readFloat32(source, header, "wide")).toEqual(float32([1], [1]));
  });

  it("aligns each tensor and does not depend on the order of the keys", async () => {
    const bytes = encodeSafetensors(sample);
    const reversed = encodeSafetensors(new Map(Object.entries(sample).reverse()));
    expect(reversed).toEqual(bytes);
    const { tensors, dataOffset } = parseSafetensorsHeader(bytes, bytes.length, "sample");
    expect(dataOffset % 8).toBe(0);
    for (const { name, begin } of tensors.values()) expect(begin % (sample[name]?.data.BYTES_PER_ELEMENT ?? 0)).toBe(0);
  });

  it("round-trips arbitrary float32 tensors", () => {
    const tensors = fc.dictionary(
      fc.string().filter((name) => name !== "__metadata__"),
      fc.float32Array({ maxLength: 20 }).map((data): Tensor => float32([data.length], data)),
    );
    fc.assert(
      fc.property(tensors, (given) => {
        expect(decodeSafetensors(encodeSafetensors(given), "x")).toEqual(new Map(Object.entries(given)));
      }),
    );
  });

  it("refuses a shape that its data do not fill", () => {
    const wrong: Tensor = { type: "float32", shape: [3], data: new Float32Array(2) };
    expect(() => encodeSafetensors({ wrong })).toThrow('tensor "wrong" of shape [3] holds 2 elements.');
  });

  it("reads a tensor that lies at an odd offset", () => {
    const bytes = file(
      '{"u":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"f":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}',
      5,
    );
    new DataView(bytes.buffer).setFloat32(bytes.length - 4, 1.5, true);
    expect(decodeSafetensors(bytes, "odd").get("f")).toEqual(float32([1], [1.5]));
  });
});

const f32 = (shape: string, begin: number, end: number): string =>
  `{"dtype":"F32","shape":${shape},"data_offsets":[${begin},${end}]}`;

describe("parseSafetensorsHeader refuses", () => {
  const cases: [string, Uint8Array, string][] = [
    ["a file too short for its length", Uint8Array.of(1, 2, 3), "begins with eight bytes of length"],
    ["a header longer than the file", file("{}", 0).fill(0xff, 0, 2), "it is cut short or not safetensors"],
    ["a header of absurd length", new Uint8Array(16).fill(0xff), "above the limit of 100000000"],
    ["text that is no object", file("[]", 0), 'begins with "{"'],
    ["broken JSON", file('{"a":', 0), "not valid JSON"],
    ["bytes that are no UTF-8", file("{}", 0).fill(0xff, 9), "not valid UTF-8"],
    [
      "a name given twice",
      file(`{"a":${f32("[1]", 0, 4)},"\\u0061":${f32("[1]", 4, 8)}}`, 8),
      'the key "a" stands twice',
    ],
    ["overlap", file(`{"a":${f32("[2]", 0, 8)},"b":${f32("[1]", 4, 8)}}`, 8), 'tensor "b" overlaps "a"'],
    ["a gap", file(`{"a":${f32("[1]", 4, 8)}}`, 8), '4 bytes before tensor "a" belong to no tensor'],
    ["bytes left over", file(`{"a":${f32("[1]", 0, 4)}}`, 9), "5 bytes after the last tensor"],
    ["data cut short", file(`{"a":${f32("[4]", 0, 16)}}`, 9), "it is cut short"],
    ["an unknown type", file('{"a":{"dtype":"X9","shape":[1],"data_offsets":[0,1]}}', 1), 'it is the text "X9"'],
    [
      "a type of the prototype",
      file('{"a":{"dtype":"toString","shape":[1],"data_offsets":[0,1]}}', 1),
      '"dtype" must be',
    ],
    [
      "a shape that its span does not fit",
      file(`{"a":${f32("[3]", 0, 4)}}`, 4),
      "takes 12 bytes, but its offsets span 4",
    ],
    ["a negative size", file(`{"a":${f32("[-1]", 0, 4)}}`, 4), '"shape" must be a list of whole numbers'],
    ["a size that is no integer", file(`{"a":${f32("[1e300]", 0, 4)}}`, 4), '"shape" must be a list of whole numbers'],
    [
      "a product that overflows",
      file(`{"a":${f32("[9007199254740991,9007199254740991]", 0, 4)}}`, 4),
      "more elements than any file can hold",
    ],
    [
      "an overflow that a zero would hide",
      file(`{"a":${f32("[9007199254740991,9007199254740991,0]", 0, 0)}}`, 0),
      "more elements than any file can hold",
    ],
    ["too many axes", file(`{"a":${f32(JSON.stringify(Array(40).fill(1)), 0, 4)}}`, 4), "has 40 axes"],
    ["offsets in falling order", file(`{"a":${f32("[0]", 4, 0)}}`, 4), "in rising order"],
    ["an entry that is a number", file('{"a":5}', 0), "it is the number 5"],
    ["metadata that is a list", file('{"__metadata__":[]}', 0), "must be an object, but it is a list"],
    ["metadata that is no text", file('{"__metadata__":{"a":1}}', 0), 'metadata "a" must be a text'],
  ];
  it.each(cases)("%s", (_, bytes, sentence) => {
    const read = (): unknown => parseSafetensorsHeader(bytes, bytes.length, "hostile.safetensors");
    expect(read).toThrow(FormatError);
    expect(read).toThrow(sentence);
    expect(read).toThrow(/^hostile\.safetensors: [^\n]*\.$/);
  });

  it("any change of a byte of the header, or accepts it as another valid header", () => {
    const bytes = encodeSafetensors(sample, { format: "pt" });
    const { dataOffset } = parseSafetensorsHeader(bytes, bytes.length, "x");
    fc.assert(
      fc.property(fc.integer({ min: 0, max: dataOffset - 1 }), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const changed = bytes.slice();
        changed[at] = value;
        try {
          for (const { begin, end } of parseSafetensorsHeader(changed, changed.length, "x").tensors.values()) {
            expect(begin).toBeLessThanOrEqual(end);
            expect(end).toBeLessThanOrEqual(changed.length);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("keeps a name such as __proto__ as an ordinary name", () => {
    const bytes = file(`{"__proto__":${f32("[1]", 0, 4)}}`, 4);
    expect([...parseSafetensorsHeader(bytes, bytes.length, "x").tensors.keys()]).toEqual(["__proto__"]);
  });

  it("names a tensor that is not there", async () => {
    const source = bytesSource("x", file("{}", 0));
    await expect(readTensor(source, await readSafetensorsHeader(source), "b")).rejects.toThrow(
      'there is no tensor "b"',
    );
  });
});

const shared = "../shared/data/lora";
describe.skipIf(!existsSync(shared))(`real files (needs ${shared})`, () => {
  it("opens each, and writes it again with the same values", () => {
    const names = existsSync(shared) ? readdirSync(shared).filter((name) => name.endsWith(".safetensors")) : [];
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) {
      const tensors = decodeSafetensors(readFileSync(`${shared}/${name}`), name);
      const again = decodeSafetensors(encodeSafetensors(tensors), name);
      expect([...again.keys()].sort()).toEqual([...tensors.keys()].sort());
      for (const [key, { type, shape, data }] of tensors) {
        const read = again.get(key)!;
        expect([key, read.type, read.shape]).toEqual([key, type, shape]);
        expect(Buffer.compare(bytesOf(read), bytesOf({ type, shape, data })), key).toBe(0);
      }
    }
  });
});
