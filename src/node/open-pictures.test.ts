import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type TestMember, tarBytes } from "../../test/tar-bytes.ts";
import { FormatError, UsageError } from "../errors.ts";
import { describeSkipped, pictureSplit } from "../training/data/picture-set.ts";
import { checkPictures, contentKey } from "./check-pictures.ts";
import { openPictures } from "./open-pictures.ts";

const size = { width: 8, height: 8 };
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pictures-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function picture(background: string): Promise<Buffer> {
  return sharp({ create: { width: 12, height: 9, channels: 3, background } })
    .png()
    .toBuffer();
}

async function put(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(join(folder, path, ".."), { recursive: true });
  await writeFile(join(folder, path), content);
}

describe("a folder of pictures", () => {
  it("takes captions from metadata.jsonl, here and below, and from text files", async () => {
    await put("b.png", await picture("blue"));
    await put("a.png", await picture("red"));
    await put("a.txt", "  a red card\n");
    await put("below/c.png", await picture("lime"));
    await put("below/d.png", await picture("grey"));
    await put("below/metadata.jsonl", '{"file_name":"c.png","text":"from below"}\n');
    await put(
      "metadata.jsonl",
      '{"file_name":"b.png","subject":"blue card","split":"heldout"}\n{"file_name":"below/c.png","text":"from above"}\n' +
        '{"file_name":"below/d.png","text":"a grey card"}\n',
    );
    await put(".hidden/e.png", await picture("red"));
    await symlink(join(folder, "a.png"), join(folder, "link.png"));
    await put("link.txt", "a link");
    await symlink(folder, join(folder, "circle"));
    const set = await openPictures(folder);
    expect(set.entries.map(({ read: _, ...record }) => record)).toEqual([
      { name: "a.png", text: "a red card" },
      { name: "b.png", subject: "blue card", split: "heldout" },
      { name: "below/c.png", text: "from below" },
      { name: "below/d.png", text: "a grey card" },
      { name: "link.png", text: "a link" },
    ]);
    expect(set.skipped).toEqual([]);
    expect(pictureSplit(set, "heldout").entries.map((entry) => entry.name)).toEqual(["b.png"]);
    expect(pictureSplit(set, "train").entries.length).toBe(4);
  });

  it("names and counts what it skips", async () => {
    await put("good.png", await picture("red"));
    await put("good.txt", "fine");
    await put("blank.png", await picture("red"));
    await put("blank.txt", " \n");
    await put("bare.png", await picture("red"));
    await put("broken.png", "no picture at all");
    await put("broken.txt", "broken");
    await put("metadata.jsonl", '{"file_name":"gone.png","text":"gone"}\n{"file_name":"blank.txt","text":"odd"}\n');
    const set = await checkPictures(await openPictures(folder), size);
    expect(set.entries.map((entry) => entry.name)).toEqual(["good.png"]);
    expect(set.skipped.map(({ name }) => name)).toEqual([
      "bare.png",
      "blank.png",
      "gone.png",
      "blank.txt",
      "broken.png",
    ]);
    expect(describeSkipped(set.skipped)).toMatch(
      /^skipped 5 pictures: bare\.png \(it has no caption\), .* and 2 more$/,
    );
  });

  it("refuses a set with no picture left, naming the folder", async () => {
    await expect(openPictures(folder)).rejects.toThrow(UsageError);
    await expect(openPictures(folder)).rejects.toThrow(folder);
    await put("broken.png", "no picture at all");
    await expect(openPictures(folder)).rejects.toThrow(/broken\.png \(it has no caption\)/);
    await put("broken.txt", "broken");
    const set = await openPictures(folder);
    await expect(checkPictures(set, size)).rejects.toThrow(UsageError);
    await expect(checkPictures(set, size)).rejects.toThrow(folder);
  });

  it("refuses what is not there and what is neither folder nor shard", async () => {
    await put("notes.md", "text");
    await expect(openPictures(join(folder, "absent"))).rejects.toThrow(UsageError);
    await expect(openPictures(join(folder, "notes.md"))).rejects.toThrow(/neither a folder nor a \.tar/);
  });

  it("names the line of a malformed metadata.jsonl", async () => {
    await put("below/metadata.jsonl", '{"file_name":"c.png","text":"x"}\n{"file_name":}\n');
    await expect(openPictures(folder)).rejects.toThrow(FormatError);
    await expect(openPictures(folder)).rejects.toThrow("below/metadata.jsonl, line 2");
  });
});

describe("tar shards", () => {
  it("joins the members of a sample, with long names and several shards", async () => {
    const deep = `${"folder/".repeat(20)}0001`;
    const png = await picture("red");
    const long = (name: string, content: string | Uint8Array): TestMember[] => [
      { name: "././@LongLink", content: `${name}\0`, kind: "L" },
      { name: name.slice(0, 99), content },
    ];
    await put("0.tar", tarBytes([...long(`${deep}.png`, png), ...long(`${deep}.txt`, "a red card")]));
    await put(
      "1.tar",
      tarBytes([
        { name: "./x.v1.json", content: '{"subject":"card","style":"flat","split":"heldout","id":7}' },
        { name: "./x.image.webp", content: await sharp(png).webp().toBuffer() },
        { name: "y.jpg", content: await sharp(png).jpeg().toBuffer() },
        { name: "y.caption", content: "a caption" },
        { name: "y.json", content: '{"text":"less","style":"ink"}' },
        { name: "bare.png", content: png },
        { name: "odd.png", content: png },
        { name: "odd.json", content: "[1]" },
        { name: "lonely.txt", content: "no picture" },
      ]),
    );
    const set = await openPictures(folder);
    expect(set.entries.map(({ read: _, ...record }) => record)).toEqual([
      { name: `0.tar/${deep}.png`, text: "a red card" },
      { name: "1.tar/./x.image.webp", subject: "card", style: "flat", split: "heldout" },
      { name: "1.tar/y.jpg", text: "a caption", style: "ink" },
    ]);
    expect(set.skipped.map(({ name }) => name)).toEqual(["1.tar/bare.png", "1.tar/odd.png"]);
    expect(Buffer.from(await set.entries[0]!.read()).equals(png)).toBe(true);
    const checked = await checkPictures(set, size);
    expect(checked.entries.length).toBe(3);
    expect((await openPictures(join(folder, "0.tar"))).entries.length).toBe(1);
  });

  it("refuses a damaged shard, and one without pictures", async () => {
    await put("a.tar", "nothing".repeat(200));
    await expect(openPictures(folder)).rejects.toThrow(FormatError);
    await put("a.tar", tarBytes([{ name: "a.txt", content: "words" }]));
    await expect(openPictures(folder)).rejects.toThrow(/no picture to train on/);
  });
});

describe("contentKey", () => {
  it("depends on content and settings, not on order", () => {
    const key = contentKey(["b", "a"], { width: 64, model: "x" });
    expect(contentKey(["a", "b"], { model: "x", width: 64 })).toBe(key);
    expect(contentKey(["a", "c"], { model: "x", width: 64 })).not.toBe(key);
    expect(contentKey(["a", "b"], { model: "x", width: 65 })).not.toBe(key);
    expect(contentKey(["a", "b"], { model: "y", width: 64 })).not.toBe(key);
  });
});
