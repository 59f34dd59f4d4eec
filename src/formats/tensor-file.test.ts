import { describe, expect, it } from "vitest";
import { pickledTensor, pickledText, torchZip } from "../../test/pickle-bytes.ts";
import { float32 } from "../tensor/tensor.ts";
import { bytesSource } from "./byte-source.ts";
import { openTensorFile } from "./open-tensor-file.ts";
import { encodeSafetensors } from "./safetensors.ts";
import { unwrapStateDict } from "./tensor-file.ts";

const storage = { 0: new Uint8Array(4) };
const tensor = pickledTensor({ shape: [1], elements: 1 });
const dict = (...pairs: string[]): string => `}(${pairs.join("")}u`;

describe("unwrapStateDict", () => {
  it("keeps what lies below state_dict, by its names there", async () => {
    const inner = dict(pickledText("model.weight"), tensor);
    const content = dict(pickledText("loss"), tensor, pickledText("state_dict"), inner);
    const file = await openTensorFile(bytesSource("x.ckpt", torchZip(content, storage)));
    expect([...file.tensors.keys()]).toEqual(["loss", "state_dict.model.weight"]);
    const { tensors } = unwrapStateDict(file);
    expect([...tensors.keys()]).toEqual(["model.weight"]);
    expect(tensors.get("model.weight")?.entry.name).toBe("state_dict.model.weight");
  });

  it("returns a file without such a level as it is", async () => {
    const flat = await openTensorFile(bytesSource("x.pt", torchZip(dict(pickledText("weight"), tensor), storage)));
    expect(unwrapStateDict(flat)).toBe(flat);
    const other = await openTensorFile(bytesSource("x", encodeSafetensors({ "state_dict.a": float32([1], [1]) })));
    expect(unwrapStateDict(other)).toBe(other);
  });
});
