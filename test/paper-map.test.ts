import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { ownersIn, paperMap, paperOwners } from "../scripts/paper-map.ts";

/** What of the paper this version carries out. */
const items = [
  "algorithm 1",
  "eq. 1",
  "eq. 2",
  "eq. 3",
  "eq. 4",
  "eq. 5",
  "eq. 6",
  "figure 1",
  "figure 2",
  "figure 3",
  "table 1",
  "table 2",
];

describe("the paper's map", () => {
  it("has exactly one owner for each item", async () => {
    expect((await paperOwners()).map(({ item }) => item)).toEqual(items);
  });

  it("is the page in docs", async () => {
    const page = await readFile(new URL("../docs/paper-map.md", import.meta.url), "utf8");
    expect(page).toBe(paperMap(await paperOwners()));
  });

  it("sees a second owner", () => {
    const text =
      "/** A.\n * @paper eq. 4\n */\nexport function a() {}\n/** B.\n * @paper eq. 4\n */\nexport const b = 1;\n";
    expect(ownersIn(text, "x.ts").map(({ name }) => name)).toEqual(["a", "b"]);
  });
});
