import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { formula } from "../../test/parity/formula.ts";
import { tinyLora, writeTinyModel } from "../../test/tiny-model.ts";
import type { WeightedAdapter } from "../adapters/combine.ts";
import { adapterSlots } from "../adapters/slots.ts";
import { targetModules } from "../adapters/targets.ts";
import { modelFromFolder, unetFromFolder } from "../generate/model.ts";
import { createNetworks, type Networks } from "../generate/networks.ts";
import { unetTable } from "../models/module-table.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { float32 } from "../tensor/tensor.ts";
import { type OpenedModel, openModel, readLoras } from "./open-model.ts";

const runtime = onnxRuntime({ threads: 1 });
let folder = "";
let opened: OpenedModel;
let style: WeightedAdapter;
let lcm: WeightedAdapter;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-swap-"));
  await writeTinyModel(folder);
  opened = await openModel(folder);
  const read = async (name: string, lambda: number): Promise<WeightedAdapter> => {
    const path = join(folder, `${name}.safetensors`);
    await writeFile(path, tinyLora(name));
    const [chosen] = await readLoras(opened.files, [{ path, weight: lambda }]);
    return { lambda, modules: chosen!.adapter.modules };
  };
  style = await read("style", 0.7);
  lcm = await read("lcm", -0.4);
}, 120_000);
afterAll(async () => {
  await runtime.dispose();
  await opened.folder.close();
  await rm(folder, { recursive: true });
});

const request = {
  latents: formula("latents", [1, 4, 4, 8]),
  timesteps: float32([1], [499]),
  context: formula("context", [3, 12]),
};
const predict = async (networks: Networks): Promise<Float32Array> => (await networks.predict(request)).data;
const fresh = async (adapters: readonly WeightedAdapter[]): Promise<Float32Array> => {
  const networks = createNetworks(runtime, await modelFromFolder(opened.files, opened.place, adapters));
  const output = await predict(networks);
  await networks.dispose();
  return output;
};
const largestDifference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

it("exchanges merged adapters in warm networks and compiles the U-Net alone anew", async () => {
  let compiled = 0;
  const counting: Runtime = {
    ...runtime,
    compile: (...given) => {
      compiled++;
      return runtime.compile(...given);
    },
  };
  const networks = createNetworks(counting, await modelFromFolder(opened.files, opened.place, []));
  const picture = formula("latents", [1, 4, 8, 8]);
  const base = await predict(networks);
  await networks.decode(picture);
  expect(compiled).toBe(2);
  for (const adapters of [[style], [style, lcm], []]) {
    await networks.replaceUNet(await unetFromFolder(opened.files, opened.place, adapters));
    const before = compiled;
    const output = await predict(networks);
    await networks.decode(picture);
    expect(compiled).toBe(before + 1);
    expect(output).toEqual(await fresh(adapters));
    if (adapters.length === 0) expect(output).toEqual(base);
    else expect(largestDifference(output, base)).toBeGreaterThan(1e-3);
  }
  await networks.dispose();
});

it("exchanges adapters in slots without compiling, to the numbers of merged ones", async () => {
  const model = await modelFromFolder(opened.files, opened.place, []);
  const slots = adapterSlots(targetModules(unetTable(model.unet.config).modules), 4);
  const networks = createNetworks(runtime, { ...model, unet: { ...model.unet, slots } });
  const base = await predict(networks);
  expect(largestDifference(base, await fresh([]))).toBeLessThan(1e-5);
  for (const adapters of [[style], [style, { ...lcm, lambda: 0.9 }], [lcm]]) {
    slots.fill(adapters);
    expect(largestDifference(await predict(networks), await fresh(adapters))).toBeLessThan(1e-4);
  }
  slots.fill([]);
  expect(await predict(networks)).toEqual(base);
  await networks.dispose();
});
