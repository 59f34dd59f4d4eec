import { describe, expect, it } from "vitest";
import { loraRule } from "../../src/adapters/lora-rule.ts";
import { lcmLoraTargets } from "../../src/adapters/targets.ts";
import { stableDiffusionSchedule } from "../../src/diffusion/schedule.ts";
import { clipTextConfig } from "../../src/models/clip.ts";
import { layers, type ParameterSource } from "../../src/models/layers.ts";
import { clipTextTable, unetTable } from "../../src/models/module-table.ts";
import { type UNetConfig, unetConfig } from "../../src/models/unet/config.ts";
import { autoencoderConfig } from "../../src/models/vae/config.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { autoencoderBatch, autoencoderObjective } from "../../src/training/autoencoder.ts";
import { baseObjective } from "../../src/training/base.ts";
import { type ConsistencyDistance, denoiser } from "../../src/training/consistency-loss.ts";
import { denoiseBatch } from "../../src/training/denoise.ts";
import type { Batch, OptimizerSettings } from "../../src/training/engine.ts";
import { parametersAsFiles } from "../../src/training/initialise.ts";
import {
  type DistillationOptions,
  type DistillationRoles,
  distillationBatch,
  distillationDefaults,
  distillationLoss,
} from "../../src/training/lcd.ts";
import { fineTuningBatch, fineTuningLoss } from "../../src/training/lcf.ts";
import { encodeObjective, layoutOf, type Objective } from "../../src/training/objective.ts";
import { frozenSource, TrainableParameters } from "../../src/training/parameters.ts";
import { fullRoles, loraPrefix, loraRoles } from "../../src/training/roles.ts";
import { sessionEngine } from "../../src/training/session-engine.ts";
import { clipEncoding, type TextEncoding } from "../../src/training/text.ts";
import { formula } from "./formula.ts";
import {
  expectClose,
  expectPass,
  formulaMaps,
  formulaTokens,
  formulaVector,
  passOf,
  trainingFixture,
} from "./training-fixture.ts";

// The networks of scripts/fixtures/models.py.
const unetJson = {
  in_channels: 4,
  out_channels: 4,
  layers_per_block: 1,
  norm_num_groups: 4,
  block_out_channels: [8, 16],
  down_block_types: ["CrossAttnDownBlock2D", "DownBlock2D"],
  up_block_types: ["UpBlock2D", "CrossAttnUpBlock2D"],
  cross_attention_dim: 12,
  attention_head_dim: 2,
};
const unet = unetConfig(unetJson);
const guided = unetConfig({ ...unetJson, time_cond_proj_dim: 10 });
const text = clipTextConfig({
  vocab_size: 40,
  hidden_size: 12,
  intermediate_size: 20,
  num_hidden_layers: 2,
  num_attention_heads: 3,
  max_position_embeddings: 9,
});
const autoencoder = autoencoderConfig({
  block_out_channels: [8, 8, 16],
  layers_per_block: 1,
  norm_num_groups: 4,
  latent_channels: 4,
});
const size = 8;
const adapter = { rank: 3, alpha: 1.5, targets: lcmLoraTargets };
const schedule = stableDiffusionSchedule();

/** Graphs of training are large to compile where other work keeps the cores busy. */
const patience = { timeout: 600_000 };

interface ConsistencyCase {
  readonly prediction: "epsilon" | "v_prediction";
  readonly distance: "huber" | "l2";
  readonly draws: readonly [indices: number[], omegas: number[]];
}

/** Seeds for which the fixtures' timesteps and guidance are drawn. */
const cases = [
  ["epsilon-huber", 5432],
  ["v-l2", 5432],
  ["edge-l2", 32891],
] as const;

function frozenUnet(prefix = ""): ParameterSource {
  const tensors = unetTable(unet).parameters.map(({ name, shape }) => [name, formula(prefix + name, shape)] as const);
  return frozenSource(new Map<string, Tensor>(tensors), "unet");
}

function frozenText(): TextEncoding {
  const tensors = clipTextTable(text).parameters.map(({ name, shape }) => [name, formula(name, shape)] as const);
  return clipEncoding(layers(frozenSource(new Map<string, Tensor>(tensors), "text_encoder")), text);
}

const distanceOf = ({ distance }: Pick<ConsistencyCase, "distance">): ConsistencyDistance =>
  distance === "l2" ? { kind: "l2" } : { kind: "huber", c: 0.001 };

function distillationOptions(prediction: ConsistencyCase["prediction"], seed: number): DistillationOptions {
  return { ...distillationDefaults, schedule, prediction, seed };
}

const shapeOf = (batch: number): readonly number[] => [batch, 4, size, size];
const captions = (name: string, batch: number): Tensor<"int64"> =>
  formulaTokens(name, batch, text.positions, text.vocabulary);

/** The step's own batch with latents, noise and captions of the formula. */
function distillationOf(options: DistillationOptions, batch: number, suffix = "", step = 0, part = 0): Batch {
  const latents = formulaMaps(`latents${suffix}`, shapeOf(batch));
  const [tokens, empty] = [captions(`tokens${suffix}`, batch), captions("empty tokens", batch)];
  const drawn = distillationBatch(options, latents, tokens, empty, step, part);
  return { ...drawn, noise: formulaMaps(`noise${suffix}`, shapeOf(batch)) };
}

function distillation(
  roles: DistillationRoles,
  config: UNetConfig,
  trainable: TrainableParameters,
  kind: ConsistencyDistance,
  batch: number,
): Objective {
  const loss = distillationLoss(roles, config, frozenText(), kind, { batch, size, tokens: text.positions });
  return { loss, metrics: {}, parameters: trainable.list() };
}

/** Starts of the skips that the fixture was made for. */
const starts = ({ draws: [indices] }: ConsistencyCase): number[] => indices.map((n) => 20 * (n + 1) - 1);

describe("denoising", patience, () => {
  const fixture = trainingFixture("denoise");

  it.each(["epsilon", "v_prediction"] as const)("has torch's loss and gradients: %s", async (prediction) => {
    const objective = baseObjective({ unet, text, batch: 3, size });
    const options = { schedule, prediction, minSnrGamma: 5, snrFloor: 0, seed: 773 };
    const latents = formulaMaps("latents", shapeOf(3));
    const batch = denoiseBatch(options, latents, captions("tokens", 3), 0, 0);
    const { timesteps } = fixture.metadata(prediction) as { timesteps: number[] };
    expect([...(batch["timesteps"]!.data as Float32Array)]).toEqual(timesteps);
    const noise = formulaMaps("noise", shapeOf(3));
    expectPass(fixture, prediction, await passOf(objective, { ...batch, noise }));
  });
});

describe("latent consistency distillation of an adapter", patience, () => {
  const fixture = trainingFixture("lcd-lora");

  it.each(cases)("has the published script's loss and gradients: %s", async (name, seed) => {
    const one = fixture.metadata(name) as ConsistencyCase;
    const trainable = new TrainableParameters();
    const roles = loraRoles(frozenUnet(), unet, trainable, { ...adapter, averagedTarget: false });
    const objective = distillation(roles, unet, trainable, distanceOf(one), 3);
    const batch = distillationOf(distillationOptions(one.prediction, seed), 3);
    expect([...(batch["start"]!.data as Float32Array)]).toEqual(starts(one));
    expectPass(fixture, name, await passOf(objective, batch));
  });

  it("has them too where the adapter is a branch of its own beside each layer", async () => {
    const trainable = new TrainableParameters();
    const frozen = frozenUnet();
    const rule = loraRule(trainable.source(loraPrefix), { ...adapter, form: "branch" });
    const student = denoiser(layers(frozen, rule), unet, undefined);
    const roles = { student, target: student, teacher: denoiser(layers(frozen), unet, undefined) };
    const objective = distillation(roles, unet, trainable, { kind: "huber", c: 0.001 }, 3);
    expectPass(
      fixture,
      "epsilon-huber",
      await passOf(objective, distillationOf(distillationOptions("epsilon", 5432), 3)),
    );
  });
});

describe("latent consistency distillation of a whole model", patience, () => {
  const fixture = trainingFixture("lcd-full");

  it.each(cases)("has the published script's loss and gradients: %s", async (name, seed) => {
    const one = fixture.metadata(name) as ConsistencyCase;
    const trainable = new TrainableParameters();
    const roles = fullRoles(frozenUnet("teacher "), guided, trainable, 3);
    const objective = distillation(roles, guided, trainable, distanceOf(one), 3);
    const options = { ...distillationOptions(one.prediction, seed), guidanceWidth: guided.guidanceWidth };
    expectPass(fixture, name, await passOf(objective, distillationOf(options, 3)));
  });
});

describe("latent consistency fine-tuning", patience, () => {
  const fixture = trainingFixture("lcf-lora");

  it.each(cases)("has torch's loss and gradients: %s", async (name, seed) => {
    const one = fixture.metadata(name) as ConsistencyCase;
    const trainable = new TrainableParameters();
    const { student, target } = loraRoles(frozenUnet(), unet, trainable, { ...adapter, averagedTarget: true });
    const shape = { batch: 3, size, tokens: text.positions };
    const loss = fineTuningLoss(student, target, unet, frozenText(), distanceOf(one), shape);
    const objective = { loss, metrics: {}, parameters: trainable.list() };
    const options = distillationOptions(one.prediction, seed);
    const batch = fineTuningBatch(options, formulaMaps("latents", shapeOf(3)), captions("tokens", 3), 0, 0);
    const noise = formulaMaps("noise", shapeOf(3));
    expectPass(fixture, name, await passOf(objective, { ...batch, noise }));
  });
});

describe("the autoencoder", patience, () => {
  it("has torch's loss, gradients and metrics", async () => {
    const fixture = trainingFixture("autoencoder");
    const weights = fixture.metadata("autoencoder") as { klWeight: number; hueWeight: number };
    const objective = autoencoderObjective(autoencoder, { batch: 2, size: 16, ...weights });
    const pictures = formulaMaps("pictures", [2, 3, 16, 16]);
    const clamped = { ...pictures, data: pictures.data.map((x) => Math.min(1, Math.max(-1, x))) };
    const batch = autoencoderBatch(autoencoder, clamped, 0, 0, 0);
    const noise = formulaMaps("noise", [2, 4, 4, 4]);
    expect(batch["noise"]!.shape).toEqual(noise.shape);
    const pass = await passOf(objective, { ...batch, noise });
    expectPass(fixture, "autoencoder", pass);
    for (const metric of ["reconstruction", "hue", "kl"]) {
      expect(pass.metrics[metric]! / fixture.numbers(`autoencoder.${metric}`)[0]!).toBeCloseTo(1, 4);
    }
  });
});

describe("optimiser steps", patience, () => {
  it("lead to torch's parameters and averages", async () => {
    const fixture = trainingFixture("optimiser");
    const { rate, ...settings } = fixture.metadata("settings") as OptimizerSettings & { rate: number };
    const trainable = new TrainableParameters();
    const roles = loraRoles(frozenUnet(), unet, trainable, { ...adapter, averagedTarget: true });
    const objective = distillation(roles, unet, trainable, { kind: "huber", c: 0.001 }, 2);
    const runtime = onnxRuntime({ threads: 1 });
    const engine = await sessionEngine(
      runtime,
      encodeObjective(objective),
      layoutOf(objective),
      formulaVector(objective.parameters),
      settings,
    );
    const options = distillationOptions("epsilon", 4);
    for (let step = 0; step < 3; step++) {
      const batches = [0, 1].map((part) => distillationOf(options, 2, ` ${step}.${part}`, step, part));
      const { loss, gradientNorm } = await engine.step({ step, rate, batches });
      expect(loss / fixture.numbers("losses")[step]!, `loss of step ${step}`).toBeCloseTo(1, 3);
      expect(gradientNorm / fixture.numbers("norms")[step]!, `norm of step ${step}`).toBeCloseTo(1, 3);
    }
    const { parameters, ema } = await engine.state();
    await runtime.dispose();
    const names = (fixture.metadata("names") as string[]).map((name) => loraPrefix + name);
    const inOrder = (vector: Float32Array): number[] => {
      const files = parametersAsFiles(objective.parameters, vector);
      return names.flatMap((name) => [...files.get(name)!.data]);
    };
    // A step changes each number by up to its rate: errors must be small beside that.
    expectClose("parameters", inOrder(parameters), fixture.numbers("parameters"), 2e-4);
    expectClose("averages", inOrder(ema!), fixture.numbers("averages"), 2e-4);
  });
});
