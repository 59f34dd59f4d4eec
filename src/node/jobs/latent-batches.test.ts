import { expect, test } from "vitest";
import { loadClipTokenizer } from "../../models/tokenizer/clip-tokenizer.ts";
import { float32, int64 } from "../../tensor/tensor.ts";
import { shiftCaptions } from "./captioned-set.ts";
import { latentBatches, mirroredAt } from "./latent-batches.ts";
import { batchOfMaps } from "./pixels.ts";
import { makeVocabulary } from "./vocabulary.ts";

const records = ["fox", "owl", "bee"].map((text) => ({ name: text, text }));

test("gives each picture its own caption, in the order of the epoch, and all pictures once an epoch", async () => {
  const files = await makeVocabulary(records, { size: 530, tokens: 6, places: [] });
  expect(await makeVocabulary(records, { size: 530, tokens: 6, places: [] })).toEqual(files);
  const tokenizer = loadClipTokenizer(files);
  expect(tokenizer.maxLength).toBe(6);
  // A latent that says which picture it is, negative where mirrored.
  const batch = (indices: readonly number[], mirrored: readonly boolean[]) =>
    batchOfMaps(indices.map((index, i) => float32([1, 1, 1], [(index + 1) * (mirrored[i] === true ? -1 : 1)])));
  const options = { records, latents: { batch }, tokenizer, tokens: 6, captionDropout: 0, seed: 4 };
  const at = latentBatches({ batchSize: 1, accumulate: 3, flip: true }, options);
  const seen = new Set<number>();
  for (let step = 0; step < 8; step++) {
    const parts = at(step);
    expect(at(step)).toEqual(parts);
    const pictures = parts.map(({ latents }) => latents.data[0]!);
    expect(pictures.map(Math.abs).sort()).toEqual([1, 2, 3]);
    expect(pictures.map((x) => x < 0)).toEqual(mirroredAt(4, step, 3, true));
    for (const [i, { tokens }] of parts.entries()) {
      const { text } = records[Math.abs(pictures[i]!) - 1]!;
      expect([...tokens.data].map(Number)).toEqual([...tokenizer.encodePadded(text, 6).ids]);
      seen.add(pictures[i]!);
    }
  }
  expect(seen.size).toBe(6);
  expect(mirroredAt(4, 0, 3, false)).toEqual([false, false, false]);
  const dropped = latentBatches({ batchSize: 3, accumulate: 1, flip: false }, { ...options, captionDropout: 1 })(0);
  const empty = [...tokenizer.encodePadded("", 6).ids];
  expect([...dropped[0]!.tokens.data].map(Number)).toEqual([...empty, ...empty, ...empty]);
});

test("shifted captions belong to the next picture", () => {
  const latents = float32([1, 2, 1, 1], [0, 0]);
  const batches = [
    { latents, tokens: int64([2, 2], [1, 2, 3, 4]) },
    { latents, tokens: int64([2, 2], [5, 6, 7, 8]) },
  ];
  expect(shiftCaptions(batches).map(({ tokens }) => [...tokens.data].map(Number))).toEqual([
    [3, 4, 5, 6],
    [7, 8, 1, 2],
  ]);
});
