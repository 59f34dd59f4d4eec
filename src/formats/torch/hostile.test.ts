import { describe, expect, it } from "vitest";
import {
  pickle,
  pickledNumber,
  pickledTensor,
  pickledText,
  pickledTuple,
  torchFiles,
  torchLegacy,
  torchZip,
} from "../../../test/pickle-bytes.ts";
import { sparseSource, sparseZip, type TestFile, zipBytes } from "../../../test/zip-bytes.ts";
import { FormatError } from "../../errors.ts";
import { bytesSource } from "../byte-source.ts";
import { openTensorFile } from "../open-tensor-file.ts";
import { readLocated } from "../tensor-file.ts";

const eight = new Uint8Array(32);
const latin1 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));
const dict = (...pairs: string[]): string => `}(${pairs.join("")}u`;
const good = dict(pickledText("w"), pickledTensor({ shape: [2, 4], elements: 8 }));
const withTensor = (tensor: Partial<Parameters<typeof pickledTensor>[0]>): Uint8Array =>
  torchZip(dict(pickledText("w"), pickledTensor({ shape: [2, 4], elements: 8, ...tensor })), { 0: eight });
const call = (name: string, ...args: string[]): Uint8Array => torchZip(`c${name}\n${pickledTuple(...args)}R`);
const replaced = (name: string, file: Partial<TestFile>): Uint8Array =>
  zipBytes(torchFiles(good, { 0: eight }).map((each) => (each.name === name ? { ...each, ...file } : each)));

/** A list that holds the last one twice, forty times over: 2^40 values in 200 bytes. */
const bomb = `]${Array.from({ length: 40 }, (_, i) => `q${String.fromCharCode(i)}0](h${String.fromCharCode(i)}h${String.fromCharCode(i)}e`).join("")}`;

describe("openTensorFile refuses", () => {
  const cases: [string, Uint8Array, string][] = [
    ["an empty file", new Uint8Array(0), "the file is empty"],
    ["a text", latin1("hello, this is no checkpoint"), "neither a safetensors file nor one that torch.save wrote"],
    ["a web page", latin1("<!DOCTYPE html><html></html>"), "this is a web page"],
    ["a Git LFS pointer", latin1("version https://git-lfs.github.com/spec/v1\noid sha256:0"), "a Git LFS pointer"],

    ["a call of os.system", call("posix\nsystem", pickledText("true")), 'its pickle calls "posix.system"'],
    ["a call of eval", call("__builtin__\neval", pickledText("1")), 'its pickle calls "builtins.eval"'],
    ["a call of getattr", call("builtins\ngetattr", pickledText("1")), 'its pickle calls "builtins.getattr"'],
    ["a call of a name of the prototype", call("constructor\n"), 'its pickle calls "constructor."'],
    [
      "a call within a tensor of a class of its own",
      call("torch._tensor\n_rebuild_from_type_v2", "cos\nsystem\n", "N", pickledTuple(pickledText("true")), "N"),
      'its pickle calls "os.system"',
    ],
    [
      "a function of a file within a file",
      call("torch.storage\n_load_from_bytes", "N"),
      "torch.storage._load_from_bytes",
    ],
    ["a call of a text", torchZip(`${pickledText("eval")})R`), "it calls string as if it were a function"],
    ["arguments that are no tuple", torchZip("ctorch\nSize\n]R"), "the arguments of a call are list"],
    ["an instance by name", torchZip("(ios\nsystem\n"), "its pickle uses the operation INST"],
    ["an extension code", torchZip("\x82\x01"), "its pickle uses the operation EXT1"],
    ["an unknown operation", torchZip("\xff"), "its pickle uses the operation 0xff"],
    ["a protocol of the future", torchZip("\x80\x09N"), "it is of protocol 9"],

    ["a dictionary that holds itself", torchZip(`}q\0(${pickledText("a")}h\0u`), '"a" contains itself'],
    ["a list within that holds the whole", torchZip(`}q\0(${pickledText("a")}](h\0eu`), '"a.0" contains itself'],
    ["a bomb of lists", torchZip(bomb), "its content unfolds to more than 250000 values"],
    ["lists nested too deep", torchZip("]".repeat(80) + "a".repeat(79)), "is nested more than 64 levels deep"],
    ["a pickle of too many steps", torchZip("N0".repeat(1_000_100)), "takes more than 2000000 steps"],
    [
      "a long list that is copied often",
      torchZip(`](${"N".repeat(10_000)}eq\0${`cbuiltins\nset\n(h\0tR0`.repeat(250)}`),
      "takes more than 2000000 steps",
    ],
    ["a value from nowhere", torchZip("0"), "it needs a value where there is none"],
    ["a value from below a mark", torchZip("N(\x85"), "it needs 1 values where there are 0"],
    ["a mark from nowhere", torchZip("t"), "it needs a mark where there is none"],
    ["a value that was never stored", torchZip("h\x07"), "it recalls value 7"],
    ["a key without a value", torchZip("}(Nu"), "a key has no value"],
    ["keys of a number", torchZip("K\x01(NNu"), "it sets keys of number"],
    ["items of a tuple", torchZip(")Na"), "it adds to tuple as if it were a list"],
    ["attributes of a number", torchZip("K\x01Nb"), "it sets attributes of number"],
    ["an endless name of a class", torchZip(`c${"x".repeat(3000)}`), "the name of a class does not end"],
    ["an absurd whole number", torchZip(`\x8b\0\x04\0\0${"\x01".repeat(1024)}`), "a whole number takes 1024 bytes"],
    ["a text longer than the file", torchZip("X\xff\xff\xff\x7fabc"), "it ends before it is complete"],
    [
      "a pickle without an end",
      zipBytes([{ name: "a/data.pkl", content: "\x80\x02N" }]),
      "it ends before it is complete",
    ],

    ["a tensor beyond its storage", withTensor({ shape: [3, 4] }), 'needs 48 bytes of storage "0", which has 32'],
    ["a tensor whose offset leaves its storage", withTensor({ offset: 1 }), "needs 36 bytes of storage"],
    ["strides that leave the storage", withTensor({ strides: [5, 1] }), "needs 36 bytes of storage"],
    ["a negative stride", withTensor({ strides: [-4, 1] }), "the strides of a tensor must be"],
    ["strides of other axes", withTensor({ strides: [1] }), "has strides [1]"],
    ["a shape that overflows", withTensor({ shape: [2 ** 40, 2 ** 40], strides: [0, 0] }), "has strides [0, 0]"],
    ["strides that overflow", withTensor({ strides: [2 ** 52, 2 ** 52] }), 'bytes of storage "0", which has 32'],
    ["a tensor that repeats one number", withTensor({ shape: [1e9], strides: [0] }), "repeats its numbers beyond"],
    ["too many axes", withTensor({ shape: Array<number>(40).fill(1) }), "must be at most 32 whole numbers"],
    ["a type that is not read", withTensor({ storage: "ComplexFloatStorage" }), 'type "torch.ComplexFloatStorage"'],
    ["a storage that is missing", withTensor({ key: "1" }), 'the storage "1" is missing'],
    ["a storage outside the folder", withTensor({ key: "../data.pkl" }), 'the storage "../data.pkl" is missing'],
    [
      "a storage of another length",
      withTensor({ elements: 9 }),
      'the storage "0" has 32 bytes, but its tensors need 9',
    ],
    ["a tensor of a text", call("torch._utils\n_rebuild_tensor_v2", pickledText("x")), "a tensor is made of string"],
    [
      "a reference to something else",
      torchZip(`${pickledTuple(pickledText("file"))}Q`),
      "something else than a storage",
    ],
    [
      "two tensors of one name",
      torchZip(
        dict(pickledText("a.b"), "h\x01", pickledText("a"), dict(pickledText("b"), "h\x01")).replace(
          "}",
          `${pickledTensor({ shape: [1], elements: 8 })}q\x010}`,
        ),
        { 0: eight },
      ),
      'two tensors have the name "a.b"',
    ],

    [
      "an archive of something else",
      zipBytes([{ name: "a.txt", content: "x" }]),
      'holds "data.pkl", but this one does not',
    ],
    [
      "a program",
      zipBytes([...torchFiles(good), { name: "archive/constants.pkl", content: "" }]),
      "a TorchScript program",
    ],
    [
      "two pickles",
      zipBytes([...torchFiles(good), { name: "other/data.pkl", content: "" }]),
      'more than one "data.pkl"',
    ],
    ["another byte order", replaced("archive/byteorder", { content: "big" }), 'its byte order is "big"'],
    ["a compressed storage", replaced("archive/data/0", { method: 8 }), "is compressed"],
    [
      "a storage cut short",
      replaced("archive/data/0", { content: new Uint8Array(31) }),
      "has 31 bytes, but its tensors need 8",
    ],
    ["a zip file cut short", torchZip(good, { 0: eight }).slice(0, 300), "it is cut short"],

    ["a pickle of something else", latin1(pickle("}")).slice(), "this is a pickle, but not one that torch.save wrote"],
    ["a legacy file cut short", torchLegacy(good, [["0", 8, eight.slice(1)]]), "it is cut short"],
    ["a legacy file cut within its pickle", torchLegacy(good).slice(0, 90), "it is cut short"],
    [
      "a legacy storage of another length",
      torchLegacy(good, [["0", 7, eight]]),
      "has 7 elements, but its tensors need 8",
    ],
    ["a legacy storage that is missing", torchLegacy(good), 'the storage "0" is missing'],
    ["a legacy storage that nothing uses", torchLegacy("N", [["0", 8, eight]]), "names 0, which no tensor uses"],
    [
      "a legacy storage twice",
      torchLegacy(good, [
        ["0", 8, eight],
        ["0", 8, eight],
      ]),
      "which no tensor uses, or twice",
    ],
    ["a call in a legacy file", torchLegacy(`cos\nsystem\n${pickledTuple(pickledText("true"))}R`), '"os.system"'],
    [
      "a legacy view that leaves its storage",
      torchLegacy(
        `${pickledTuple(pickledText("storage"), "ctorch\nFloatStorage\n", pickledText("0"), "N", pickledNumber(8), pickledTuple(pickledText("1"), pickledNumber(4), pickledNumber(5)))}Q`,
        [["0", 8, eight]],
      ),
      'a view of the storage "0" leaves it',
    ],
  ];
  it.each(cases)("%s", async (_, bytes, sentence) => {
    const refusal = await openTensorFile(bytesSource("hostile.ckpt", bytes)).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(FormatError);
    expect((refusal as FormatError).message).toContain(sentence);
    expect((refusal as FormatError).message).toMatch(/^hostile\.ckpt: [^\n]*\.$/);
  });
});

describe("openTensorFile", () => {
  it("keeps a class that is only named, and objects of it, inert", async () => {
    const file = await openTensorFile(
      bytesSource("x", torchZip(`}(${pickledText("f")}cos\nsystem\n${pickledText("o")}csubprocess\nPopen\n)\x81}bu`)),
    );
    expect(file.tensors.size).toBe(0);
    expect(file.inertClasses).toEqual(["subprocess.Popen"]);
  });

  it("reads a view of a storage as files before torch 1.0 have it", async () => {
    const view = pickledTuple(
      pickledText("storage"),
      "ctorch\nFloatStorage\n",
      pickledText("0"),
      pickledText("cpu"),
      pickledNumber(8),
      pickledTuple(pickledText("1"), pickledNumber(4), pickledNumber(3)),
    );
    const tensor = `ctorch._utils\n_rebuild_tensor\n${pickledTuple(`${view}Q`, "K\x01", "K\x02\x85", "K\x01\x85")}R`;
    const numbers = new Uint8Array(Float32Array.of(0, 1, 2, 3, 4, 5, 6, 7).buffer);
    const { tensors } = await openTensorFile(bytesSource("old.pth", torchLegacy(tensor, [["0", 8, numbers]])));
    expect([...(await readLocated(tensors.get("tensor")!)).data]).toEqual([5, 6]);
  });

  it("reads little of a zip file of 7 GB, and the tensor at its end", async () => {
    const elements = 1_750_000_000;
    const last = { name: "archive/data/1", content: new Uint8Array(Float32Array.of(1.5, 2.5).buffer) };
    const content = dict(
      pickledText("large"),
      pickledTensor({ shape: [elements], elements }),
      pickledText("last"),
      pickledTensor({ shape: [2], elements: 2, key: "1" }),
    );
    const large = { name: "archive/data/0", content: new Uint8Array(0), length: 4 * elements };
    const source = sparseSource("large.ckpt", sparseZip([...torchFiles(content), large, last], true));
    const { tensors } = await openTensorFile(source);
    expect(tensors.get("large")!.entry.end).toBeGreaterThan(7e9);
    expect(source.bytesRead()).toBeLessThan(100_000);
    expect([...(await readLocated(tensors.get("last")!)).data]).toEqual([1.5, 2.5]);
  });

  it("reads little of a legacy file of 7 GB", async () => {
    const elements = 1_750_000_000;
    const content = dict(pickledText("large"), pickledTensor({ shape: [elements], elements }));
    const head = torchLegacy(content, [["0", elements, new Uint8Array(0)]]);
    const source = sparseSource("large.pt", { size: head.length + 4 * elements, pieces: [[0, head]] });
    const { tensors } = await openTensorFile(source);
    expect(tensors.get("large")!.entry).toMatchObject({ begin: head.length, end: source.size });
    // Five pickles, each within a window of 64 KiB.
    expect(source.bytesRead()).toBeLessThan(400_000);
  });
});
