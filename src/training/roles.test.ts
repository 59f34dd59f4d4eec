import { describe, expect, it } from "vitest";
import { lcmLoraTargets, targetModules } from "../adapters/targets.ts";
import { encode } from "../graph/encode.ts";
import { input, type Value } from "../graph/value.ts";
import { unetTable } from "../models/module-table.ts";
import { unetConfig } from "../models/unet/config.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import { counterNormal } from "../tensor/random/counter.ts";
import { elementCount, float32, type Tensor } from "../tensor/tensor.ts";
import type { Denoiser } from "./consistency-loss.ts";
import { frozenSource, TrainableParameters } from "./parameters.ts";
import { fullRoles, loraRoles } from "./roles.ts";

const json = {
  layers_per_block: 1,
  norm_num_groups: 2,
  block_out_channels: [4, 8],
  down_block_types: ["DownBlock2D", "CrossAttnDownBlock2D"],
  up_block_types: ["CrossAttnUpBlock2D", "UpBlock2D"],
  cross_attention_dim: 6,
  attention_head_dim: 2,
};
const config = unetConfig(json);
const guided = unetConfig({ ...json, time_cond_proj_dim: 10 });
const table = unetTable(config);
const adapted = targetModules(table.modules).map(({ path }) => path);

function normal(name: string, shape: readonly number[]): Tensor<"float32"> {
  return float32(shape, counterNormal(1, name, 0, elementCount(shape)));
}

const frozen = frozenSource(new Map(table.parameters.map(({ name, shape }) => [name, normal(name, shape)])), "unet");
const data = {
  latents: normal("latents", [4, 1, 4, 4]),
  t: float32([1], [259]),
  context: normal("context", [3, 6]),
};

function callOf(network: Denoiser): Value {
  return network(input("latents", [4, 1, 4, 4]), input("t", [1]), input("context", [3, 6]));
}

/** Inputs that a network's graph reads beside its data. */
function inputsOf(network: Denoiser): string[] {
  return encode({ out: callOf(network) }).inputs.filter((name) => !(name in data));
}

const parts = adapted.flatMap((path) => [`${path}.lora_down.weight`, `${path}.lora_up.weight`]).sort();
const lora = { rank: 2, alpha: 4, targets: lcmLoraTargets };

describe("loraRoles", () => {
  it("switches the adapter on for the student and off for the teacher", async () => {
    const trainable = new TrainableParameters();
    const { student, teacher, target } = loraRoles(frozen, config, trainable, { ...lora, averagedTarget: false });
    expect(inputsOf(teacher)).toEqual([]);
    expect(inputsOf(student).sort()).toEqual(parts.map((name) => `lora.${name}`));
    expect(trainable.list().map(({ name }) => name)).toHaveLength(2 * adapted.length);
    expect(target).toBe(student);

    const runtime = onnxRuntime({ threads: 1 });
    const call = callOf(student);
    const off = await runtime.compile(encode({ out: callOf(teacher) }));
    const on = await runtime.compile(encode({ out: call }));
    const without = (await off.run(data))["out"]!.data as Float32Array;
    const differs = async (fill: (name: string) => boolean): Promise<number> => {
      const factors = trainable
        .list()
        .map(({ name, stored }) => [name, fill(name) ? normal(name, stored) : float32(stored, zeros(stored))] as const);
      const out = (await on.run({ ...data, ...Object.fromEntries(factors) }))["out"]!.data as Float32Array;
      const largest = Math.max(...without.map(Math.abs));
      return Math.max(...out.map((x, i) => Math.abs(x - without[i]!))) / largest;
    };
    // With B at zero the adapter changes nothing; with both factors of one layer in the middle it does.
    expect(await differs((name) => name.endsWith(".lora_down.weight"))).toBeLessThan(1e-5);
    expect(await differs((name) => name.startsWith("lora.mid_block.resnets.0.conv1."))).toBeGreaterThan(1e-3);
    await runtime.dispose();
  });

  it("reads the averaged adapter for the target where told", () => {
    const trainable = new TrainableParameters();
    const { student, target } = loraRoles(frozen, config, trainable, { ...lora, averagedTarget: true });
    expect(inputsOf(target).sort()).toEqual(parts.map((name) => `ema.lora.${name}`));
    // What trains is what the student asks for.
    expect(trainable.list()).toEqual([]);
    inputsOf(student);
    expect(trainable.list()).toHaveLength(parts.length);
  });

  it("adapts the targets alone", () => {
    const options = { ...lora, targets: ["to_q"], averagedTarget: false };
    const names = inputsOf(loraRoles(frozen, config, new TrainableParameters(), options).student);
    expect(names.length).toBeGreaterThan(0);
    expect(names.filter((name) => !/\.to_q\.lora_(down|up)\.weight$/.test(name))).toEqual([]);
  });
});

describe("fullRoles", () => {
  const names = table.parameters.map(({ name }) => name);
  const projection = "time_embedding.cond_proj.weight";

  it("gives the guidance to student and target, each with weights of its own, and not to the teacher", () => {
    const { student, target, teacher } = fullRoles(frozen, guided, new TrainableParameters(), 1);
    const expected = (prefix: string): string[] =>
      ["guidance", ...[...names, projection].map((name) => prefix + name)].sort();
    expect(inputsOf(student).sort()).toEqual(expected("unet."));
    expect(inputsOf(target).sort()).toEqual(expected("ema.unet."));
    expect(inputsOf(teacher)).toEqual([]);
  });

  it("has no guidance where the network has none", () => {
    const { student } = fullRoles(frozen, config, new TrainableParameters(), 1);
    expect(inputsOf(student).sort()).toEqual(names.map((name) => `unet.${name}`).sort());
  });
});

function zeros(shape: readonly number[]): Float32Array {
  return new Float32Array(elementCount(shape));
}
