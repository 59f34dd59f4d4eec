import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { iconStyles, isInstalled, openIconStyle } from "../scripts/model/icon-sets.ts";

interface Subject {
  readonly name: string;
  readonly synonyms: readonly string[];
  readonly icons: Readonly<Record<string, string>>;
}

const table: URL = new URL("../scripts/model/subjects.json", import.meta.url);
const subjects: readonly Subject[] = JSON.parse(readFileSync(table, "utf8")) as Subject[];

describe("the subjects of the picture sets", () => {
  it("have names of their own, apart from all synonyms", () => {
    const names = subjects.flatMap(({ name, synonyms }) => [name, ...synonyms]);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    expect(names.filter((name) => !/^[a-z][a-z -]*$/.test(name))).toEqual([]);
  });

  it("each stand in at least two base styles", () => {
    const base = iconStyles.filter((style) => style.set === "base");
    const scarce = subjects.filter(({ icons }) => base.filter(({ style }) => icons[style] !== undefined).length < 2);
    expect(scarce.map(({ name }) => name)).toEqual([]);
  });

  for (const style of iconStyles) {
    it.skipIf(!isInstalled(style))(`name icons that ${style.package} has`, () => {
      const source = openIconStyle(style);
      const absent = subjects.filter(
        ({ icons }) => icons[style.style] !== undefined && !source.has(icons[style.style]!),
      );
      expect(absent.map(({ name }) => name)).toEqual([]);
    });
  }
});
