import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeSafetensors } from "../formats/safetensors.ts";
import { float32 } from "../tensor/tensor.ts";
import { findLoraChoice, knownNames, parseLoraChoice } from "./lora-choice.ts";
import { type LoraLibrary, loraLibrary } from "./lora-files.ts";
import { loraHash } from "./lora-hash.ts";

let folder = "";
let library: LoraLibrary;
const commit = "0123456789abcdef0123456789abcdef01234567";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-choice-"));
  await mkdir(join(folder, "loras", "styles"), { recursive: true });
  await writeFile(join(folder, "a:1.5.safetensors"), "");
  await writeFile(join(folder, "loras", "styles", "ink.safetensors"), "");
  library = await loraLibrary([join(folder, "loras")]);
  const repository = join(folder, "hub", "models--someone--lcm-ink");
  await mkdir(join(repository, "snapshots", commit), { recursive: true });
  await mkdir(join(repository, "refs"));
  await writeFile(join(repository, "refs", "main"), commit);
  await cp(
    join(folder, "a:1.5.safetensors"),
    join(repository, "snapshots", commit, "pytorch_lora_weights.safetensors"),
  );
});
afterAll(() => rm(folder, { recursive: true }));

const hub = () => ({ env: { HF_HUB_CACHE: join(folder, "hub"), HF_HUB_OFFLINE: "1" } });
const parse = (text: string) => parseLoraChoice(text, library, hub());
const path = () => join(folder, "a:1.5.safetensors");
const ink = () => join(folder, "loras", "styles", "ink.safetensors");

describe("a LoRA as people write it", () => {
  it("is a file, colons in its name included", async () => {
    const both = { weight: 1, textWeight: 1 };
    expect(await parse(path())).toEqual({
      choice: { path: path(), ...both },
      name: "a:1.5",
      strength: "1",
      ignored: [],
    });
    expect(await parse(`${path()}:0.8`)).toMatchObject({ choice: { path: path(), weight: 0.8 }, strength: "0.8" });
    expect(await parse(`${path()}:-1e-1`)).toMatchObject({ choice: { weight: -0.1 } });
  });

  it("is a name, with folders or without", async () => {
    expect(await parse("ink")).toMatchObject({ choice: { path: ink(), weight: 1 }, name: "ink" });
    expect(await parse("styles/ink.safetensors:0.5")).toMatchObject({ choice: { path: ink(), weight: 0.5 } });
  });

  it("is a repository on a hub", async () => {
    const cached = join(folder, "hub", "models--someone--lcm-ink", "snapshots", commit);
    expect(await parse("someone/lcm-ink:0.9:up=2")).toMatchObject({
      choice: { path: join(cached, "pytorch_lora_weights.safetensors"), weight: 0.9 },
      name: "lcm-ink",
      strength: "0.9:lbw=up=2",
    });
    await expect(parse("someone/nothing:1")).rejects.toThrow("someone/nothing: HF_HUB_OFFLINE is set");
  });

  it("has blocks and steps, which a tag can say as well", async () => {
    for (const [given, strength] of [
      ["ink:0.8:down=0,up=1", "0.8:lbw=down=0,up=1"],
      ["ink:down=0", "1:lbw=down=0"],
      ["ink:0.8:OUTALL", "0.8:OUTALL"],
      ["ink:0.8@0-50%:up=1", "0.8@0-50%:lbw=up=1"],
      ["ink:0.2:0.9:step=2-4", "0.2:0.9:step=2-4"],
    ] as const) {
      const one = await parse(given);
      expect(one.strength).toBe(strength);
      const again = await findLoraChoice("ink", strength.split(":"), "", library);
      const { steps, ...choice } = one.choice;
      expect(again!.choice).toMatchObject(choice);
      expect(again!.choice.steps?.at(1, 4)).toBe(steps?.at(1, 4));
    }
  });

  it.each([
    [
      "nowhere.safetensors:1",
      "nowhere.safetensors:1: there is no such LoRA file; give a safetensors file, or FILE:weight",
    ],
    ["ink:strong", 'ink:strong: the weight "strong" must be a number, such as 0.8.'],
    ["ink:", 'the weight "" must be a number'],
    ["ink:1:upp=2:x", '"x" are no block weights'],
    ["", ": there is no such LoRA file"],
    [":1", ":1: there is no such LoRA file"],
    [
      "__proto__",
      "__proto__: there is no such LoRA file; give a safetensors file, or FILE:weight, or a name: styles/ink.",
    ],
  ])("%j is refused", async (text, sentence) => {
    await expect(parse(text)).rejects.toThrow(sentence);
  });

  it("is no folder", async () => {
    await expect(parse(folder)).rejects.toThrow("there is no such LoRA file");
    expect(await knownNames(await loraLibrary([]), ", or ")).toBe("");
  });
});

describe("a LoRA's hash", () => {
  it("is that of its tensors' bytes alone", async () => {
    const tensors = new Map([["x", float32([2], [1, 2])]]);
    const file = join(folder, "hashed.safetensors");
    const expected = createHash("sha256")
      .update(new Uint8Array(new Float32Array([1, 2]).buffer))
      .digest("hex")
      .slice(0, 12);
    for (const metadata of [{}, { note: "of another length" }]) {
      await writeFile(file, encodeSafetensors(tensors, metadata));
      expect(await loraHash(file)).toBe(expected);
    }
    await writeFile(file, encodeSafetensors(tensors, { sshs_model_hash: "0123456789abcdef" }));
    expect(await loraHash(file)).toBe("0123456789ab");
    const other = join(folder, "old.pt");
    await writeFile(other, "old");
    expect(await loraHash(other)).toBe(createHash("sha256").update("old").digest("hex").slice(0, 12));
  });
});
