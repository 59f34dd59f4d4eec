import { cp, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin, type UserConfig } from "vite";
import type { Site, SiteModel } from "./site.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const models = ["fourstep-64"];
const runtimeFiles = ["ort-wasm-simd-threaded.jsep.mjs", "ort-wasm-simd-threaded.jsep.wasm"];

/** Puts the engine in the place of the server. */
const engineInside: Plugin = {
  name: "engine-inside",
  transformIndexHtml: {
    order: "pre",
    handler: (html) =>
      html
        .replace("./main.tsx", "./browser/main.tsx")
        .replace("</head>", '<link rel="stylesheet" href="./browser/loading.css"></head>'),
  },
};

/** Copies models and ONNX Runtime's files beside the page, and says what there is. */
function withModels(): Plugin {
  let out = "";
  return {
    name: "with-models",
    apply: "build",
    configResolved({ build, root }) {
      out = resolve(root, build.outDir);
    },
    async closeBundle() {
      await mkdir(join(out, "ort"), { recursive: true });
      const ort = dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
      for (const file of runtimeFiles) await cp(join(ort, file), join(out, "ort", file));
      await cp(here("isolation-worker.js"), join(out, "isolation-worker.js"));
      const described: SiteModel[] = [];
      for (const name of models) {
        const from = here(`../../models/${name}`);
        await cp(from, join(out, "models", name), { recursive: true });
        described.push(await describe(name, from));
      }
      const { version } = JSON.parse(await readFile(here("../../package.json"), "utf8")) as { version: string };
      const site: Site = { version, runtimeFiles: "ort/", models: described };
      await writeFile(join(out, "site.json"), JSON.stringify(site, undefined, 2));
    },
  };
}

async function describe(name: string, folder: string): Promise<SiteModel> {
  const files = await readdir(join(folder, "lora"));
  const loras = files.filter((file) => file.endsWith(".safetensors")).map((file) => file.replace(".safetensors", ""));
  const parts = await Promise.all(
    ["text_encoder", "tokenizer", "unet", "vae"].map((part) => bytesIn(join(folder, part))),
  );
  return { name, folder: `models/${name}`, loras, bytes: parts.reduce((a, b) => a + b, 0) };
}

async function bytesIn(folder: string): Promise<number> {
  const sizes = await Promise.all((await readdir(folder)).map(async (file) => (await stat(join(folder, file))).size));
  return sizes.reduce((a, b) => a + b, 0);
}

/** Builds the page that draws by itself, without a server: `npm run web`, into `out/web`. */
const config: UserConfig = defineConfig({
  root: here(".."),
  base: "./",
  build: { outDir: here("../../out/web"), emptyOutDir: true, target: "es2022", assetsInlineLimit: 0 },
  worker: { format: "es" },
  // Without this, ONNX Runtime's script has the loader of its WebAssembly inside, which then loads the page's own script again
  // for each thread.
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "browser", "module", "import", "default"] },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  plugins: [engineInside, withModels()],
  preview: {
    headers: { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" },
  },
});
export default config;
