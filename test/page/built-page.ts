import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Where `fourstep serve` looks for the page. */
export const builtPage: string = join(root, "dist", "page");

/** Builds the page unless what is built is newer than its source. */
export function buildPage(): void {
  const index = join(builtPage, "index.html");
  if (existsSync(index) && statSync(index).mtimeMs > newest(join(root, "web"))) return;
  // Aside and renamed, so that who serves it at the moment sees the old or the new one.
  const aside = join(root, "dist", `page-${process.pid}`);
  const vite = join(root, "node_modules", "vite", "bin", "vite.js");
  const { status, stderr } = spawnSync(
    process.execPath,
    [vite, "build", "--config", "web/vite.config.ts", "--outDir", aside, "--logLevel", "error"],
    { cwd: root, encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`The page cannot be built: ${stderr}`);
  rmSync(builtPage, { recursive: true, force: true });
  renameSync(aside, builtPage);
}

/** When a folder was changed last, with all that is in it; milliseconds. */
function newest(folder: string): number {
  const times = readdirSync(folder, { recursive: true, withFileTypes: true }).map(
    (entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs,
  );
  return Math.max(...times);
}
