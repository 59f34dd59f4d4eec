import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formula } from "../../test/parity/formula.ts";
import { tinyConfigs, tinyLora, writeTinyModel } from "../../test/tiny-model.ts";
import { parseBlockWeights } from "../adapters/block-weights.ts";
import { parseStepWeights } from "../adapters/step-weights.ts";
import { createNetworks, type Networks } from "../generate/networks.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import { float32 } from "../tensor/tensor.ts";
import type { LoraChoice } from "./lora-choice.ts";
import { type LoraSwap, loraSwap } from "./lora-swap.ts";
import { adaptedModel, type OpenedModel, openModel, readLoras } from "./open-model.ts";

const runtime = onnxRuntime({ threads: 1 });
let folder = "";
let opened: OpenedModel;
let networks: Networks;
let swap: LoraSwap;
let base: Float32Array;
const file = (name: string): string => join(folder, `${name}.safetensors`);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-lora-swap-"));
  await writeTinyModel(join(folder, "model"));
  for (const name of ["style", "lcm"]) await writeFile(file(name), tinyLora(name));
  await writeFile(file("wide"), tinyLora("wide", 2, { ...tinyConfigs.unet, cross_attention_dim: 16 }));
  opened = await openModel(join(folder, "model"));
  networks = createNetworks(runtime, await adaptedModel(opened, []));
  swap = loraSwap(opened, networks);
  base = await predict(networks);
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
const predict = async (of: Networks): Promise<Float32Array> => (await of.predict(request)).data;
const fresh = async (choices: readonly LoraChoice[]): Promise<Float32Array> => {
  const adapters = await readLoras(opened.files, choices);
  const own = createNetworks(runtime, await adaptedModel(opened, adapters));
  const output = await predict(own);
  await own.dispose();
  return output;
};

const largestDifference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

describe("LoRAs exchanged in warm networks", () => {
  it("give what networks compiled with them give, to the last bit, in any order; none gives the base", async () => {
    const style = { path: file("style"), weight: 0.7 };
    const lcm = { path: file("lcm"), weight: -0.4 };
    const sets: readonly (readonly LoraChoice[])[] = [
      [],
      [style],
      [lcm],
      [lcm, style],
      [{ ...style, weight: 0.2 }],
      [{ ...style, blocks: parseBlockWeights("up=0,resnets=2,samplers=-1") }],
    ];
    const expected = await Promise.all(sets.map(fresh));
    expect(expected[0]).toEqual(base);
    for (const other of expected.slice(1)) expect(other).not.toEqual(base);
    const weights = join(folder, "model", "unet", "diffusion_pytorch_model.safetensors");
    const hash = async (): Promise<string> =>
      createHash("sha256")
        .update(await readFile(weights))
        .digest("hex");
    const before = await hash();
    const sequence = fc.array(fc.nat(sets.length - 1), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(sequence, async (order) => {
        for (const i of [...order, 0]) {
          await swap.use(sets[i]!);
          expect(await predict(networks)).toEqual(expected[i]);
        }
      }),
      { numRuns: 4 },
    );
    expect(await hash()).toBe(before);
  }, 120_000);

  it("stay those before where an exchange fails", async () => {
    await swap.use([{ path: file("style"), weight: 1 }]);
    const output = await predict(networks);
    await expect(swap.use([{ path: file("wide"), weight: 1 }])).rejects.toThrow("it was made for another model");
    await expect(swap.use([{ path: file("nowhere"), weight: 1 }])).rejects.toThrow("cannot be opened");
    await expect(swap.use([{ path: file("lcm"), weight: Number.NaN }])).rejects.toThrow("must be a finite number");
    const blocks = parseBlockWeights("upp=1");
    await expect(swap.use([{ path: file("lcm"), weight: 1, blocks }])).rejects.toThrow('"upp" is in no layer\'s name');
    expect(swap.adapters.map(({ path }) => path)).toEqual([file("style")]);
    expect(await predict(networks)).toEqual(output);
  });

  it("wait for each other, and read a file in use once", async () => {
    const first = await swap.use([{ path: file("style"), weight: 1 }]);
    const [second, third] = await Promise.all([
      swap.use([
        { path: file("style"), weight: 0.5 },
        { path: file("lcm"), weight: 1 },
      ]),
      swap.use([{ path: file("lcm"), weight: 0.3 }]),
    ]);
    expect(second[0]!.adapter).toBe(first[0]!.adapter);
    expect(third[0]!.adapter).toBe(second[1]!.adapter);
    expect(await predict(networks)).toEqual(await fresh([{ path: file("lcm"), weight: 0.3 }]));
  });

  it("change with the steps, and back for the next picture", async () => {
    const steps = parseStepWeights("0.9@0-50%,-0.2@50-75%");
    const constant = { path: file("lcm"), weight: 1 };
    const at = (weight: number): Promise<Float32Array> => fresh([constant, { path: file("style"), weight }]);
    const [early, late, none] = [await at(0.9), await at(-0.2), await at(0)];
    await swap.use([constant]);
    expect(swap.beforeStep(4)).toBeUndefined();
    await swap.use([constant, { path: file("style"), weight: steps.at(0, 1), steps }]);
    const before = swap.beforeStep(4)!;
    for (let picture = 0; picture < 2; picture++) {
      for (const [i, expected] of [early, early, late, none].entries()) {
        await before(i);
        expect(largestDifference(await predict(networks), expected)).toBeLessThan(1e-4);
      }
    }
    expect(largestDifference(early, late)).toBeGreaterThan(1e-2);
    await swap.use([]);
    expect(await predict(networks)).toEqual(base);
  });
});
