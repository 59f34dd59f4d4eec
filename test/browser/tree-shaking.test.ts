import { build, type Rolldown } from "vite";
import { describe, expect, it } from "vitest";
import { sourceAliases } from "./source-aliases.ts";

/** The modules that are left of an entry of one line, by their paths within the source, and the bytes of the bundle. */
async function bundled(code: string): Promise<{ readonly modules: readonly string[]; readonly bytes: number }> {
  const entry = "\0entry";
  const result = (await build({
    configFile: false,
    logLevel: "error",
    resolve: { conditions: ["browser", "module", "import", "default"], alias: [...sourceAliases] },
    plugins: [
      {
        name: "entry",
        enforce: "pre",
        resolveId: (id) => (id === "virtual:entry" ? entry : undefined),
        load: (id) => (id === entry ? code : undefined),
      },
    ],
    build: {
      write: false,
      target: "es2022",
      rolldownOptions: { input: "virtual:entry", external: [/^onnxruntime/, "zod"] },
    },
  })) as Rolldown.RolldownOutput;
  const chunks = result.output.filter((one) => one.type === "chunk");
  const modules = chunks
    .flatMap((chunk) => Object.entries(chunk.modules))
    .filter(([, { renderedLength }]) => renderedLength > 0)
    .map(([id]) => id.slice(id.lastIndexOf("/src/") + 5));
  return { modules, bytes: chunks.reduce((sum, { code: text }) => sum + Buffer.byteLength(text), 0) };
}

describe("a bundle of what a page imports", () => {
  it("holds what draws, and nothing that trains, measures or opens other formats", async () => {
    const { modules, bytes } = await bundled('import { textToImage } from "fourstep"; globalThis.draw = textToImage;');
    const folders = new Set(modules.map((path) => path.split("/")[0]));
    expect(modules).toContain("generate/text-to-image.ts");
    for (const room of ["training", "optim", "autodiff", "evaluation", "adapters", "runtime", "node"]) {
      expect([...folders], room).not.toContain(room);
    }
    expect(bytes).toBeLessThan(20_000);
  });

  it("has the trainer when it is asked for", async () => {
    const { modules } = await bundled('import { train } from "fourstep"; globalThis.run = train;');
    expect(modules).toContain("training/loop.ts");
    expect(modules).not.toContain("generate/text-to-image.ts");
  });

  it("keeps the engine apart from the page: a studio in a worker costs the page a few kilobytes", async () => {
    const { modules, bytes } = await bundled(
      'import { remoteStudio } from "fourstep/web"; globalThis.open = remoteStudio;',
    );
    expect(modules.filter((path) => path.startsWith("models/"))).toEqual([]);
    expect(bytes).toBeLessThan(10_000);
  });
});
