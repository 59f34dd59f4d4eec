import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { faultsOf } from "./strata.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

test("the source keeps its order", () => {
  const paths = readdirSync(`${root}src`, { recursive: true, encoding: "utf8" })
    .map((path) => `src/${path.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".ts"));
  expect(paths.length).toBeGreaterThan(50);
  expect(faultsOf(new Map(paths.map((path) => [path, readFileSync(root + path, "utf8")])))).toEqual([]);
});

const planted = (path: string, text: string): string[] => faultsOf(new Map([[path, text]]));

test.each([
  ["src/graph/value.ts", 'import { backward } from "../autodiff/backward.ts";'],
  ["src/graph/ops/a.ts", 'import type { A } from "../../models/unet/unet.ts";'],
  ["src/autodiff/check.ts", 'import type { Runtime } from "../runtime/runtime.ts";'],
  ["src/training/loop.ts", 'export { textToImage } from "../generate/text-to-image.ts";'],
  ["src/models/clip.ts", 'const page = await import("../cli/main.ts");'],
  ["src/tensor/tensor.ts", 'import "../errors.ts";\nimport {\n  a,\n  b,\n} from "../formats/json.ts";'],
  ["src/node/files.ts", 'import { served } from "../server/server.ts";'],
  ["src/models/a.ts", 'import { b } from "../../bench/b.ts";'],
  ["src/models/a.ts", 'import { b } from "../helpers/b.ts";'],
  ["src/helpers/b.ts", "export const b = 1;"],
  ["src/formats/png.ts", 'import { readFileSync } from "node:fs";'],
  ["src/formats/png.ts", 'import sharp from "sharp";'],
  ["src/formats/png.ts", 'import { open } from "./file-source.node.ts";'],
  ["src/formats/png.ts", "const cores = process.env.CORES;"],
  ["src/formats/png.ts", 'const bytes = Buffer.from("a");'],
  ["src/cli/main.ts", "\n".repeat(400).concat("end")],
])("a planted fault is found: %s %s", (path, text) => {
  expect(planted(path, text)).toHaveLength(1);
});

test.each([
  [
    "src/graph/ops/a.ts",
    'import { b } from "../value.ts";\nimport { c } from "./c.ts";\nimport { d } from "../../errors.ts";',
  ],
  ["src/models/unet/a.ts", 'import { b } from "../vae/b.ts";\nimport { encode } from "../../graph/encode.ts";'],
  ["src/formats/file-source.node.ts", 'import { open } from "node:fs/promises";\nconst a = process.cwd();'],
  ["src/formats/png.ts", '// the process (Buffer.from) is "node:fs"\nconst a = worker.process(1);'],
  ["src/graph/a.test.ts", 'import { onnxRuntime } from "../runtime/onnx-runtime.ts";'],
  ["src/cli/main.ts", 'import { Command } from "commander";\nimport { readFileSync } from "node:fs";'],
])("what is allowed is left alone: %s", (path, text) => {
  expect(planted(path, text)).toEqual([]);
});
