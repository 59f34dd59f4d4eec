import { fileURLToPath } from "node:url";
import { defineConfig, type UserConfig } from "vite";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Builds the page into `dist/page`, from where `fourstep serve` serves it. */
const config: UserConfig = defineConfig({
  root: here("."),
  // Relative, so that the page also works under a path of another site.
  base: "./",
  build: {
    outDir: here("../dist/page"),
    emptyOutDir: true,
    target: "es2022",
    // Data URLs in style sheets would need a wider Content-Security-Policy.
    assetsInlineLimit: 0,
    // The page asks a server; without this the engine's WebAssembly is laid beside it, though nothing loads it.
    rolldownOptions: { external: ["#ort"] },
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
});
export default config;
