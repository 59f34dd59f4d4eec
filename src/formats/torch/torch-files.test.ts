import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { sparseSource } from "../../../test/zip-bytes.ts";
import { toFloat32 } from "../../tensor/convert.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { bytesSource } from "../byte-source.ts";
import { openTensorFile } from "../open-tensor-file.ts";
import { decodeSafetensors, readSafetensorsHeader, readTensor } from "../safetensors.ts";
import { readLocated, type TensorFile, unwrapStateDict } from "../tensor-file.ts";
import { isKind, type PickleDict, type PickleValue } from "./pickle-value.ts";

/** Made by scripts/fixtures/torch-files.py. */
const fixtures = "test/fixtures/torch";
const open = (path: string): Promise<TensorFile> =>
  openTensorFile(bytesSource(path.slice(path.lastIndexOf("/") + 1), readFileSync(path)));
const expected = decodeSafetensors(readFileSync(`${fixtures}/expected.safetensors`), "expected");
const newTypes = ["float8_e4m3", "float8_e5m2", "uint16", "uint32", "uint64"];

function expectSame(read: Tensor, wanted: Tensor, name: string): void {
  expect([name, read.type, read.shape]).toEqual([name, wanted.type, wanted.shape]);
  // As floats, since a NaN has many bits.
  expect(toFloat32(read).data, name).toEqual(toFloat32(wanted).data);
}

describe("openTensorFile", () => {
  it.each([
    ["zip.ckpt", "torch-zip", true],
    ["zip-protocol4.ckpt", "torch-zip", true],
    ["legacy.ckpt", "torch-legacy", false],
    ["legacy-protocol4.pt", "torch-legacy", false],
  ])("reads every tensor of %s as torch does", async (name, format, all) => {
    const file = unwrapStateDict(await open(`${fixtures}/${name}`));
    expect(file.format).toBe(format);
    const wanted = [...expected].filter(([key]) => all || !newTypes.includes(key));
    expect([...file.tensors.keys()].sort()).toEqual(wanted.map(([key]) => key).sort());
    for (const [key, tensor] of wanted) expectSame(await readLocated(file.tensors.get(key)!), tensor, key);
  });

  it("says which tensors can be used where they lie", async () => {
    const { tensors } = unwrapStateDict(await open(`${fixtures}/zip.ckpt`));
    const strided = [...tensors].filter(([, { entry }]) => entry.strides !== undefined).map(([key]) => key);
    expect(strided).toEqual(["column", "transposed", "steps", "permuted", "repeated"]);
    const matrix = tensors.get("matrix")!.entry;
    const row = tensors.get("row")!.entry;
    expect([row.begin, row.end]).toEqual([matrix.begin + 40, matrix.begin + 60]);
    expect(matrix.name).toBe("state_dict.matrix");
    for (const { entry } of tensors.values()) if (entry.name.endsWith("matrix")) expect(entry.begin % 64).toBe(0);
  });

  it("reads every type of a safetensors file that torch wrote", async () => {
    const source = bytesSource("types", readFileSync(`${fixtures}/types.safetensors`));
    const header = await readSafetensorsHeader(source);
    expect([...header.tensors.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [key, tensor] of expected) expectSame(await readTensor(source, header, key), tensor, key);
  });

  it("reads a module that was saved whole by the names of its state dictionary", async () => {
    const { tensors, inertClasses } = await open(`${fixtures}/module.pt`);
    const wanted = decodeSafetensors(readFileSync(`${fixtures}/module.safetensors`), "module");
    expect([...tensors.keys()].sort()).toEqual([...wanted.keys()].sort());
    for (const [key, tensor] of wanted) expectSame(await readLocated(tensors.get(key)!), tensor, key);
    expect(inertClasses).toContain("torch.nn.modules.linear.Linear");
  });

  it("calls a tensor without a name `tensor`", async () => {
    const { tensors } = await open(`${fixtures}/bare.pt`);
    expect([...(await readLocated(tensors.get("tensor")!)).data]).toEqual([0n, 1n, 2n]);
  });

  it.each(["zip.ckpt", "zip-protocol4.ckpt", "legacy.ckpt"])(
    "gives all else that %s says as plain data",
    async (name) => {
      const file = await open(`${fixtures}/${name}`);
      const modelCheckpoint = "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint";
      expect(file.inertClasses).toEqual([modelCheckpoint]);
      const content = fields(file.content);
      expect(content).toMatchObject({
        epoch: 7,
        global_step: 2 ** 40,
        huge: 2n ** 70n,
        negative: -(2 ** 33),
        rate: 1e-4,
        name: "café 😀",
        dtype: { kind: "global", name: "torch.float16" },
        size: { kind: "tuple", items: [2, 3] },
        flags: { kind: "list", items: [true, false, null] },
        names: { kind: "set", items: ["x"] },
        pair: { kind: "tuple", items: [1, { kind: "tuple", items: ["two"] }] },
        where: { kind: "object", className: "pathlib.PurePosixPath" },
        device: { kind: "object", className: "torch.device", args: ["cuda", 1] },
        array: { kind: "object", className: "numpy.ndarray" },
        made: { kind: "object", className: modelCheckpoint },
      });
      expect(fields(content["counts"])).toEqual({ a: 2, b: 1 });
      const callbacks = content["callbacks"] as PickleDict;
      const [[key, callback]] = [...callbacks.entries] as [[PickleValue, PickleValue]];
      expect(key).toEqual({ kind: "global", name: modelCheckpoint });
      expect(fields(callback)).toMatchObject({ best: 0.5, count: -3, best_model_score: { kind: "tensor" } });
      // Of the inert object nothing is listed, not even its tensor.
      const listed = [...file.tensors.keys()].filter((path) => !path.startsWith("state_dict."));
      expect(listed).toEqual([`callbacks.${modelCheckpoint}.best_model_score`]);
    },
  );

  it("reads headers only", async () => {
    const bytes = readFileSync(`${fixtures}/zip.ckpt`);
    const source = sparseSource("x", { size: bytes.length, pieces: [[0, bytes]] });
    const { tensors } = await openTensorFile(source);
    const before = source.bytesRead();
    await readLocated(tensors.get("state_dict.matrix")!);
    expect(source.bytesRead() - before).toBe(120);
  });
});

/** What a dictionary holds under its texts. */
function fields(value: PickleValue | undefined): Record<string, PickleValue> {
  expect(isKind(value, "dict")).toBe(true);
  return Object.fromEntries([...(value as PickleDict).entries].filter(([key]) => typeof key === "string"));
}

const shared = "../shared/data";
const real = JSON.parse(readFileSync(`${fixtures}/real.json`, "utf8")) as Record<
  string,
  Record<string, [type: string, shape: number[], sha1: string]>
>;
describe.skipIf(!existsSync(shared))(`real files (needs ${shared})`, () => {
  it.each(Object.keys(real))("%s holds what torch.load reads from it", async (path) => {
    const { tensors, inertClasses } = await open(`${shared}/${path}`);
    expect(inertClasses).toEqual([]);
    const found: (typeof real)[string] = {};
    for (const [name, located] of tensors) {
      const { type, shape, data } = await readLocated(located);
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      found[name] = [type, [...shape], createHash("sha1").update(bytes).digest("hex")];
    }
    expect(found).toEqual(real[path]);
  });
});
