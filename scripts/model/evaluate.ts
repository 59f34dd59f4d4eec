/**
 * Measures the shipped model with every network at hand, and draws its figures:
 *
 * - runs/evaluation: table in all forms, report.html, the pictures;
 * - docs/evaluation.md: the table between its marks;
 * - docs/figures: the paper's three figures, and sheets over lambda, guidance and steps.
 *
 * Needs `npm run model:pictures`. Whatever follows is given to `fourstep evaluate`, e.g. `-- --measures FOLDER`. It goes on
 * where it was stopped.
 *
 *     node --import tsx scripts/model/evaluate.ts [--figures] [option of fourstep evaluate]…
 */
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { main } from "../../src/cli/main.ts";
import { processContext } from "../../src/cli/process-context.ts";

const [out, figures, page] = ["runs/evaluation", "docs/figures", "docs/evaluation.md"] as const;
const [begin, end] = ["<!-- table -->", "<!-- end of table -->"] as const;
const context = processContext();

async function run(...args: readonly string[]): Promise<void> {
  const code = await main(args, context);
  if (code !== 0) process.exit(code);
}

const given = process.argv.slice(2);
if (!given.includes("--figures")) {
  await run("evaluate", "--out", out, "--resume", "--keep", ...given);
  const text = await readFile(page, "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < 0) throw new Error(`${page} lacks the marks ${begin} and ${end}.`);
  const table = await readFile(join(out, "table.md"), "utf8");
  await writeFile(page, `${text.slice(0, from + begin.length)}\n${table}${text.slice(to)}`);
}
// Of a page's pictures the PNG is enough; pictures in them are small, so that no file has more than 400 kB.
const drawn: readonly (readonly [name: string, files: readonly string[], more?: readonly string[]])[] = [
  ["1", ["figure-1"]],
  ["2", ["figure-2-3d", "figure-2-ink"], ["--shown", "96"]],
  ["3", ["figure-3"]],
  ["lambda", ["lambda"], ["--prompt", "a fox"]],
  ["guidance", ["guidance"]],
  ["steps", ["steps"]],
];
for (const [name, files, more = []] of drawn) {
  await run("figure", name, "--shown", "64", ...more, "--out", figures);
  for (const file of files) await rm(join(figures, `${file}.svg`), { force: true });
}
