import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { formula } from "../../test/parity/formula.ts";
import { tinyLora, writeTinyModel } from "../../test/tiny-model.ts";
import { modelFromFolder } from "../generate/model.ts";
import { createNetworks } from "../generate/networks.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import { float32 } from "../tensor/tensor.ts";
import { modelPlace } from "./model-place.ts";
import { openModel, readLoras } from "./open-model.ts";

const runtime = onnxRuntime({ threads: 1 });
let base = "";
let snapshot = "";
let scratch = "";

/** A model as a hub's cache has it: a folder of links to files that lie elsewhere. */
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "fourstep-place-"));
  snapshot = join(base, "snapshot");
  scratch = join(base, "scratch");
  for (const folder of [scratch, join(base, "blobs")]) await mkdir(folder);
  vi.stubEnv("TMPDIR", scratch);
  await writeTinyModel(snapshot);
  for (const part of ["unet", "vae"]) {
    const file = join(snapshot, part, "diffusion_pytorch_model.safetensors");
    await rename(file, join(base, "blobs", part));
    await symlink(`../../blobs/${part}`, file);
  }
  await writeFile(join(base, "style.safetensors"), tinyLora("style"));
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await runtime.dispose();
  await rm(base, { recursive: true });
});

const request = {
  latents: formula("latents", [1, 4, 4, 8]),
  timesteps: float32([1], [499]),
  context: formula("context", [3, 12]),
};

/** What lies among the temporary files, but for what ONNX Runtime leaves there. */
const storedFolders = async (): Promise<readonly string[]> =>
  (await readdir(scratch)).filter((name) => name.startsWith("fourstep-"));

/** The prediction with the LoRA merged; up to `limit` bytes of merged weights stay in memory. */
async function predict(limit: number): Promise<{ readonly output: Float32Array; readonly stored: readonly string[] }> {
  const opened = await openModel(snapshot);
  await using place = await modelPlace(snapshot, limit);
  const [chosen] = await readLoras(opened.files, [{ path: join(base, "style.safetensors"), weight: 0.7 }]);
  const model = await modelFromFolder(opened.files, place, [{ lambda: 0.7, modules: chosen!.adapter.modules }]);
  const networks = createNetworks(runtime, model);
  const { data } = await networks.predict(request);
  await networks.dispose();
  await opened.folder.close();
  return { output: data, stored: await storedFolders() };
}

describe("the place of a model's files", () => {
  it("lets the runtime read through links, with merged weights in memory or in a file alike", async () => {
    const memory = await predict(Number.POSITIVE_INFINITY);
    expect(memory.stored).toEqual([]);
    const file = await predict(0);
    expect(file.stored.length).toBe(1);
    expect(file.output).toEqual(memory.output);
    expect(file.output.every(Number.isFinite)).toBe(true);
    expect(await storedFolders()).toEqual([]);
  });
});
