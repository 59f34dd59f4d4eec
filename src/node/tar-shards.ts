import { basename } from "node:path";
import { FormatError } from "../errors.ts";
import { openFileSource } from "../formats/file-source.node.ts";
import { parseJsonObject } from "../formats/json.ts";
import type { CaptionRecord } from "../training/data/captions.ts";
import { captionFields, isPictureName } from "../training/data/metadata.ts";
import type { PictureEntry, PictureSet, SkippedPicture } from "../training/data/picture-set.ts";
import { listTar, type TarMember } from "../training/data/tar.ts";

/** Longest caption or JSON member that is read, in bytes. */
const maxCaptionBytes = 1 << 20;

/** A webdataset key and its kind: the name up to the first dot of its last part, and what follows. */
function splitKey(name: string): { readonly key: string; readonly kind: string } {
  const plain = name.replace(/^\.\//, "");
  const dot = plain.indexOf(".", plain.lastIndexOf("/") + 1);
  return dot < 0 ? { key: plain, kind: "" } : { key: plain.slice(0, dot), kind: plain.slice(dot + 1).toLowerCase() };
}

/** The last part of a kind, for members such as `0001.image.png`. */
function lastKind(kind: string): string {
  return kind.slice(kind.lastIndexOf(".") + 1);
}

async function readMember(path: string, member: TarMember): Promise<Uint8Array> {
  await using source = await openFileSource(path);
  return source.read(member.offset, member.size);
}

/** The caption that a sample's `.txt`, `.caption` or `.json` gives; a text file goes before the JSON's own text. */
async function readCaption(
  members: ReadonlyMap<string, TarMember>,
  read: (member: TarMember) => Promise<Uint8Array>,
  shard: string,
): Promise<CaptionRecord & { readonly split?: string }> {
  let record: CaptionRecord & { readonly split?: string } = {};
  for (const kind of ["json", "caption", "txt"]) {
    const member = members.get(kind);
    if (member === undefined) continue;
    const place = `${shard}/${member.name}`;
    if (member.size > maxCaptionBytes)
      throw new FormatError(`${place}: a caption of ${member.size} bytes is too long.`);
    const content = new TextDecoder().decode(await read(member));
    if (kind === "json") record = captionFields(parseJsonObject(content, place), place);
    else if (content.trim() !== "") record = { ...record, text: content.trim() };
  }
  return record;
}

async function openShard(path: string, entries: PictureEntry[], skipped: SkippedPicture[]): Promise<void> {
  const shard = basename(path);
  await using source = await openFileSource(path);
  const samples = new Map<string, Map<string, TarMember>>();
  for (const member of await listTar(source)) {
    const { key, kind } = splitKey(member.name);
    const sample = samples.get(key) ?? new Map<string, TarMember>();
    sample.set(isPictureName(member.name) ? "picture" : lastKind(kind), member);
    samples.set(key, sample);
  }
  for (const members of samples.values()) {
    const picture = members.get("picture");
    if (picture === undefined) continue;
    const name = `${shard}/${picture.name}`;
    try {
      const read = (member: TarMember): Promise<Uint8Array> => source.read(member.offset, member.size);
      const record = await readCaption(members, read, shard);
      if (record.text === undefined && record.subject === undefined)
        skipped.push({ name, reason: "it has no caption" });
      else entries.push({ name, ...record, read: () => readMember(path, picture) });
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      skipped.push({ name, reason: error.message });
    }
  }
}

/**
 * Opens webdataset shards: tar archives in which members of one sample share their name up to the first dot, such as
 * `0001.jpg` and `0001.txt` (or `.caption`, or `.json` with `text` or `caption`).
 *
 * Pictures without a usable caption are skipped and named; pictures are not decoded yet.
 * @param place what the user named, for messages
 * @throws UsageError when a shard cannot be opened.
 * @throws FormatError when a shard is damaged.
 */
export async function openTarShards(place: string, paths: readonly string[]): Promise<PictureSet> {
  const entries: PictureEntry[] = [];
  const skipped: SkippedPicture[] = [];
  for (const path of paths) await openShard(path, entries, skipped);
  return { place, entries, skipped };
}
