/**
 * Draws the picture sets of the shipped model from the installed icon packages, as Hugging Face image folders.
 *
 *     node --import tsx scripts/model/pictures.ts [--size 64] [--out runs/pictures] [--seed 1]
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { UsageError } from "../../src/errors.ts";
import { plainCaption } from "../../src/training/data/captions.ts";
import { drawContactSheet } from "./contact-sheet.ts";
import { type IconSource, type IconStyle, iconStyles, isInstalled, openIconStyle, placeOnWhite } from "./icon-sets.ts";

/** A row of `subjects.json`: what is drawn, and under which name each style keeps it. */
interface Subject {
  readonly name: string;
  readonly synonyms: readonly string[];
  readonly codePoint: string;
  readonly icons: Readonly<Partial<Record<IconStyle["style"], string>>>;
}

/** Share of the (subject, style) pairs that training never sees. */
const heldOutShare = 0.08;

/** A number from 0 to 1 that depends on its words alone: the same pairs are held out on every machine. */
function rank(...words: (string | number)[]): number {
  return createHash("sha256").update(words.join("\n")).digest().readUInt32BE(0) / 2 ** 32;
}

/** The held-out pairs of one set, as "style/subject": at most one a subject, and in the base two styles stay. */
function chooseHeldOut(subjects: readonly Subject[], styles: readonly IconStyle[], seed: number): Set<string> {
  const pairs = subjects.flatMap((s) => styles.filter((t) => s.icons[t.style]).map((t) => ({ s, style: t.style })));
  const spare = pairs.filter(({ s }) => styles.length === 1 || styles.filter((t) => s.icons[t.style]).length > 2);
  spare.sort((a, b) => rank(seed, a.s.name, a.style) - rank(seed, b.s.name, b.style));
  const chosen = new Map<string, string>();
  for (const { s, style } of spare) {
    if (chosen.size >= Math.round(pairs.length * heldOutShare)) break;
    if (!chosen.has(s.name)) chosen.set(s.name, `${style}/${s.name}`);
  }
  return new Set(chosen.values());
}

const { values } = parseArgs({
  options: {
    size: { type: "string", default: "64" },
    out: { type: "string", default: "runs/pictures" },
    seed: { type: "string", default: "1" },
  },
});
const size = Number(values.size);
if (!Number.isInteger(size) || size < 16 || size > 256) {
  throw new UsageError(`--size ${values.size}: expected a whole number from 16 to 256`);
}
const subjects = JSON.parse(readFileSync(new URL("subjects.json", import.meta.url), "utf8")) as Subject[];
const sources = new Map<string, IconSource>();
for (const style of iconStyles) {
  if (style.set === "base" || isInstalled(style)) sources.set(style.style, openIconStyle(style));
  else console.log(`${style.set}: left out, since the package ${style.package} is not installed`);
}
const drawn = new Map<string, Buffer>();

for (const set of ["base", "3d", "ink"] as const) {
  const styles = iconStyles.filter((style) => style.set === set && sources.has(style.style));
  if (styles.length === 0) continue;
  const heldOut = chooseHeldOut(subjects, styles, Number(values.seed));
  const folder = join(values.out, set);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const lines: string[] = [];
  for (const style of styles) {
    const source = sources.get(style.style)!;
    let count = 0;
    for (const subject of subjects) {
      const icon = subject.icons[style.style];
      if (icon === undefined) continue;
      const png = await placeOnWhite(await source.draw(icon), size);
      const fileName = `${style.style}-${subject.name.replaceAll(/[^a-z0-9]+/g, "-")}.png`;
      writeFileSync(join(folder, fileName), png);
      drawn.set(`${style.style}/${subject.name}`, png);
      const { name, synonyms } = subject;
      const text = plainCaption({ subject: name, style: style.style });
      const split = heldOut.has(`${style.style}/${name}`) ? "heldout" : "train";
      lines.push(JSON.stringify({ file_name: fileName, text, subject: name, synonyms, style: style.style, split }));
      count++;
    }
    console.log(
      `${set}: ${count} of ${subjects.length} subjects in ${style.style} (${style.package} ${source.version})`,
    );
  }
  writeFileSync(join(folder, "metadata.jsonl"), `${lines.join("\n")}\n`);
  console.log(`${set}: ${lines.length} pictures, ${heldOut.size} held out`);
}
await drawContactSheet(
  join(values.out, "sheet.png"),
  subjects.map((subject) => ({
    label: subject.name,
    pictures: iconStyles.map((style) => drawn.get(`${style.style}/${subject.name}`)),
  })),
  size,
);
