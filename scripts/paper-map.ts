/** Writes docs/paper-map.md: which function owns each equation, algorithm and table of the paper, from `@paper` tags. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** One `@paper` tag: what of the paper, and the function that owns it. */
export interface PaperOwner {
  readonly item: string;
  readonly name: string;
  readonly file: string;
}

const root = fileURLToPath(new URL("..", import.meta.url));

/** Finds the tags in a file's text: a doc comment with `@paper` and the name that follows it. */
export function ownersIn(text: string, file: string): PaperOwner[] {
  const owners: PaperOwner[] = [];
  for (const match of text.matchAll(
    /\/\*\*((?:(?!\*\/)[\s\S])*?)\*\/\s*export (?:async )?(?:function\*?|const|class) (\w+)/g,
  )) {
    for (const [, item] of match[1]!.matchAll(/@paper ([^\n*]+)/g))
      owners.push({ item: item!.trim(), name: match[2]!, file });
  }
  return owners;
}

/** All owners in `src/`, by item. */
export async function paperOwners(): Promise<readonly PaperOwner[]> {
  const files = (await readdir(join(root, "src"), { recursive: true })).filter(
    (name) => name.endsWith(".ts") && !name.endsWith(".test.ts"),
  );
  const found = await Promise.all(
    files.map(async (name) => ownersIn(await readFile(join(root, "src", name), "utf8"), `src/${name}`)),
  );
  return found.flat().sort((a, b) => a.item.localeCompare(b.item, "en", { numeric: true }));
}

/** The page as Markdown. */
export function paperMap(owners: readonly PaperOwner[]): string {
  const rows = owners.map(({ item, name, file }) => `| ${item} | \`${name}\` | [${file}](../${file}) |`);
  return `# Where the paper lives\n\nMade by \`npm run docs:paper\` from the \`@paper\` tags in the source. Each item has one owner.\n\n| paper | function | file |\n|---|---|---|\n${rows.join("\n")}\n`;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const target = join(root, "docs", "paper-map.md");
  await writeFile(target, paperMap(await paperOwners()));
  console.log(relative(root, target));
}
