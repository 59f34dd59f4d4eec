import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { bytesSource } from "../../formats/byte-source.ts";
import { openTensorFile } from "../../formats/open-tensor-file.ts";
import { encodeSafetensors } from "../../formats/safetensors.ts";
import { float32, int64, type Tensor } from "../../tensor/tensor.ts";
import type { LearnedWord } from "./learned-words.ts";
import { readTextualInversion } from "./textual-inversion.ts";

const shared = "../shared/data/textual-inversion";
const small = { name: "small", widths: [3] };
const sdxl = { name: "xl", widths: [768, 1280] };

async function read(
  name: string,
  content: Readonly<Record<string, Tensor>> | Uint8Array,
  model: { readonly name: string; readonly widths: readonly number[] } = small,
  word?: string,
): Promise<LearnedWord[]> {
  const bytes = content instanceof Uint8Array ? content : encodeSafetensors(new Map(Object.entries(content)));
  return readTextualInversion(await openTensorFile(bytesSource(name, bytes)), model, word);
}

const row = (...numbers: readonly number[]): Float32Array => Float32Array.from(numbers);
const wide = (count: number, width: number): Tensor =>
  float32([count, width], new Float32Array(count * width).fill(0.5));

describe("readTextualInversion", () => {
  it("reads diffusers' files: vectors by word, one or several", async () => {
    const two = { "<a>": float32([3], [1, 2, 3]), "<b>": float32([2, 3], [4, 5, 6, 7, 8, 9]) };
    expect(await read("two.safetensors", two)).toEqual([
      { word: "<a>", file: "two.safetensors", vectors: [[row(1, 2, 3)]] },
      { word: "<b>", file: "two.safetensors", vectors: [[row(4, 5, 6), row(7, 8, 9)]] },
    ]);
    await expect(read("two.safetensors", two, small, "c")).rejects.toThrow(
      'two.safetensors: it holds 2 words (<a>, <b>), which cannot all be called "c".',
    );
    expect((await read("one.safetensors", { "<a>": float32([3], [1, 2, 3]) }, small, "c"))[0]!.word).toBe("c");
  });

  it("calls what has no word by the file's name, or as it is told", async () => {
    const nameless = { emb_params: float32([1, 3], [1, 2, 3]) };
    expect((await read("EasyNegative.safetensors", nameless))[0]!.word).toBe("EasyNegative");
    expect((await read("EasyNegative.safetensors", nameless, small, "bad"))[0]!.word).toBe("bad");
  });

  it("reads SDXL's pairs", async () => {
    const [word] = await read("xl.safetensors", { clip_g: wide(2, 1280), clip_l: wide(2, 768) }, sdxl);
    expect(word!.vectors.map((list) => list.map(({ length }) => length))).toEqual([
      [768, 768],
      [1280, 1280],
    ]);
    await expect(read("xl.safetensors", { clip_g: wide(2, 1280), clip_l: wide(1, 768) }, sdxl)).rejects.toThrow(
      "it has 1 and 2 vectors for its text encoders",
    );
  });

  it("names the base of vectors that do not fit", async () => {
    await expect(read("x.bin", { x: wide(1, 768) }, { name: "other", widths: [1024] })).rejects.toThrow(
      "x.bin: its vectors are 768 wide, made for Stable Diffusion 1.x, but other takes 1024.",
    );
    await expect(read("x.bin", { clip_l: wide(1, 768), clip_g: wide(1, 1280) })).rejects.toThrow(
      "x.bin: its vectors are 768 and 1280 wide, made for SDXL, but small takes 3.",
    );
    await expect(read("x.bin", { x: wide(1, 1024) }, sdxl)).rejects.toThrow("made for Stable Diffusion 2.x");
    await expect(read("x.bin", { x: wide(1, 5) })).rejects.toThrow("made for another model");
  });

  it("refuses what holds no vectors", async () => {
    await expect(read("x.bin", { x: float32([1, 1, 3], [1, 2, 3]) })).rejects.toThrow(
      'x.bin: "x" has the shape [1, 1, 3]; textual inversion has [width] or [vectors, width].',
    );
    await expect(read("x.bin", { x: int64([3], [1, 2, 3]) })).rejects.toThrow('"x" is of type I64');
    await expect(read("x.bin", {})).rejects.toThrow("there are no vectors");
  });

  it("reads A1111's pickles", async () => {
    const bytes = readFileSync("test/fixtures/prompts/birb-style.pt");
    const [word, ...others] = await read("birb-style.pt", bytes, { name: "tiny", widths: [12] });
    expect(others).toEqual([]);
    expect(word!.word).toBe("birb-style");
    expect(word!.vectors[0]!.length).toBe(2);
  });

  it.skipIf(!existsSync(shared)).each([
    ["fastai_learned_embeds.bin", "<birb-style>", 768],
    ["lora_kiriko2.ti.pt", "<krk>", 768],
  ])("reads the real file %s", async (file, name, width) => {
    const [word, ...others] = await read(file, readFileSync(`${shared}/${file}`), { name: "model", widths: [width] });
    expect(others).toEqual([]);
    expect(word!.word).toBe(name);
    expect(word!.vectors[0]![0]!.some((x) => x !== 0)).toBe(true);
    expect(word!.vectors[0]![0]!.every((x) => Math.abs(x) < 10)).toBe(true);
  });
});
