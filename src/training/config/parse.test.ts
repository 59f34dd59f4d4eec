import { describe, expect, test } from "vitest";
import { UsageError } from "../../errors.ts";
import type { JsonObject } from "../../formats/json.ts";
import { autoencoderTrainingDefaults } from "./autoencoder.ts";
import { baseTrainingDefaults } from "./base.ts";
import { freeKeys, optimizerSettings, rateSchedule } from "./common.ts";
import { consistencyDistance } from "./consistency.ts";
import { lcdTrainingDefaults } from "./lcd.ts";
import { lcfTrainingDefaults } from "./lcf.ts";
import { loraTrainingDefaults } from "./lora.ts";
import { editDistance, nearestName } from "./nearest.ts";
import { parseTrainingConfig, parseTrainingKind, type TrainingKind, trainingKinds } from "./parse.ts";

const needed = { data: "pictures", output: "runs/one", steps: 3000 };
const least: Readonly<Record<TrainingKind, JsonObject>> = {
  autoencoder: { ...needed, vae: { latent_channels: 16 } },
  base: { ...needed, autoencoder: "vae", unet: { in_channels: 16 }, textEncoder: { hidden_size: 128 } },
  lora: { ...needed, base: "model" },
  lcd: { ...needed, base: "model" },
  lcf: { ...needed, base: "model" },
};
const defaults: Readonly<Record<TrainingKind, object>> = {
  autoencoder: autoencoderTrainingDefaults,
  base: baseTrainingDefaults,
  lora: loraTrainingDefaults,
  lcd: lcdTrainingDefaults,
  lcf: lcfTrainingDefaults,
};

function refusal(kind: TrainingKind, changes: JsonObject): string {
  try {
    parseTrainingConfig(kind, { ...least[kind], ...changes }, "my.json");
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as UsageError).message;
  }
  throw new Error("accepted");
}

describe.each(trainingKinds)("config of %s", (kind) => {
  test("takes all that is not given from the defaults", () => {
    expect(parseTrainingConfig(kind, least[kind], "my.json")).toEqual({ ...defaults[kind], ...least[kind] });
  });

  test.each(Object.keys(least[kind]))("asks for %s", (key) => {
    const { [key]: _left, ...rest } = least[kind];
    expect(() => parseTrainingConfig(kind, rest, "my.json")).toThrow(
      new RegExp(`^my\\.json: "${key}" must be .*, but it is missing$`),
    );
  });

  test("is complete where it is given whole", () => {
    const whole = parseTrainingConfig(kind, least[kind], "my.json");
    expect(parseTrainingConfig(kind, JSON.parse(JSON.stringify(whole)), "config.json")).toEqual(whole);
  });
});

describe("what a config may not say", () => {
  test.each<[TrainingKind, JsonObject, string]>([
    ["base", { learning_rate: 1 }, '"learning_rate" is not a key of this config; the keys are '],
    ["base", { batch_size: 4 }, '"batch_size" is not a key of this config; did you mean "batchSize"?'],
    ["lcd", { omegaMn: 4 }, '"omegaMn" is not a key of this config; did you mean "omegaMin"?'],
    ["lora", { omegaMin: 4 }, '"omegaMin" is not a key of this config; the keys are '],
    ["lora", { sample: { promts: [] } }, '"sample.promts" is not a key of this config; did you mean "sample.prompts"?'],
    [
      "lora",
      { optimizer: { beta3: 1 } },
      '"optimizer.beta3" is not a key of this config; did you mean "optimizer.beta',
    ],
    ["base", { rate: 0 }, '"rate" must be a number above 0, but it is the number 0'],
    ["base", { rate: "1e-3" }, '"rate" must be a number above 0, but it is the text "1e-3"'],
    ["base", { steps: 1.5 }, '"steps" must be a whole number of at least 1, but it is the number 1.5'],
    ["base", { flip: "yes" }, '"flip" must be true or false, but it is the text "yes"'],
    ["base", { captionDropout: 2 }, '"captionDropout" must be a number from 0 to 1, but it is the number 2'],
    [
      "base",
      { schedule: "linear" },
      '"schedule" must be "constant" or "cosine" or "lastThird", but it is the text "linear"',
    ],
    ["base", { sample: 5 }, '"sample" must be an object, but it is the number 5'],
    ["base", { sample: { every: -1 } }, '"sample.every" must be a whole number of at least 0, but it is the number -1'],
    ["base", { sample: { prompts: ["a", 1] } }, '"sample.prompts" must be a list of prompts, but it is a list'],
    [
      "base",
      { unet: null },
      '"unet" must be the config of a UNet2DConditionModel as diffusers writes it, but it is null',
    ],
    ["lora", { rank: 0 }, '"rank" must be a whole number from 1 to 4096, but it is the number 0'],
    ["lcd", { loss: "l1" }, '"loss" must be "l2" or "huber", but it is the text "l1"'],
    ["lcd", { omegaMin: 9, omegaMax: 2 }, '"omegaMin" must be at most "omegaMax", but they are 9 and 2'],
    ["lcd", { method: "full" }, '"emaDecay" must be above 0 where "method" is "full"'],
    ["lcf", { method: "full" }, '"emaDecay" must be above 0 where "method" is "full"'],
    ["base", { warmup: 3001 }, '"warmup" must be at most "steps", but they are 3001 and 3000'],
    ["base", { workers: 2, accumulate: 3 }, '"accumulate" must be a multiple of "workers"'],
  ])("%s %j", (kind, changes, message) => {
    expect(refusal(kind, changes)).toContain(`my.json: ${message}`);
  });

  test("anything but an object", () => {
    expect(() => parseTrainingConfig("base", [1], "my.json")).toThrow("must be a JSON object, but it is a list");
    expect(() => parseTrainingConfig("base", undefined, "my.json")).toThrow("but it is missing");
  });

  test("a kind that there is not", () => {
    expect(parseTrainingKind("lcd")).toBe("lcd");
    expect(() => parseTrainingKind("lorra")).toThrow(/did you mean lora\?.*autoencoder, base, lora, lcd, lcf/);
    expect(() => parseTrainingKind("controlnet")).toThrow(/^"controlnet" is no kind of training; the kinds/);
  });
});

describe("what a config means", () => {
  test("sections are filled key by key, other objects are taken whole", () => {
    const config = parseTrainingConfig(
      "base",
      { ...least.base, optimizer: { beta1: 0.5 }, sample: { every: 7 }, scheduler: { prediction_type: "sample" } },
      "my.json",
    );
    expect(config.optimizer).toEqual({ ...baseTrainingDefaults.optimizer, beta1: 0.5 });
    expect(config.sample).toEqual({ ...baseTrainingDefaults.sample, every: 7 });
    expect(config.scheduler).toEqual({ prediction_type: "sample" });
    expect(optimizerSettings(config)).toEqual({ ...config.optimizer, emaDecay: 0.999 });
  });

  test("alpha follows the rank unless it is given", () => {
    expect(parseTrainingConfig("lcd", { ...least.lcd, rank: 8 }, "my.json")).toMatchObject({ rank: 8, alpha: 8 });
    const both = { ...least.lcd, rank: 8, alpha: 4 };
    expect(parseTrainingConfig("lcd", both, "my.json")).toMatchObject({ rank: 8, alpha: 4 });
    expect(lcdTrainingDefaults.targets).toHaveLength(14);
  });

  test("rates warm up and decay", () => {
    const rateAt = (schedule: string, step: number): number =>
      rateSchedule(parseTrainingConfig("base", { ...least.base, steps: 300, warmup: 10, schedule }, "my.json"))(step);
    expect(rateAt("constant", 4)).toBeCloseTo(0.5, 12);
    expect(rateAt("constant", 299)).toBe(1);
    expect(rateAt("cosine", 155)).toBeCloseTo(0.5, 12);
    expect(rateAt("lastThird", 200)).toBe(1);
    expect(rateAt("lastThird", 299)).toBeCloseTo(0.01, 12);
  });

  test("a longer run may be resumed only where the rate does not depend on its length", () => {
    const free = (schedule: string): readonly string[] =>
      freeKeys(parseTrainingConfig("lcd", { ...least.lcd, schedule, warmup: 0 }, "my.json"));
    expect(free("constant")).toContain("steps");
    expect(free("cosine")).not.toContain("steps");
    expect(free("cosine")).toContain("checkpointEvery");
  });

  test("the distance comes with its constant", () => {
    const distanceOf = (loss: string): unknown =>
      consistencyDistance(parseTrainingConfig("lcf", { ...least.lcf, loss, warmup: 0 }, "my.json"));
    expect(distanceOf("huber")).toEqual({ kind: "huber", c: 0.001 });
    expect(distanceOf("l2")).toEqual({ kind: "l2" });
  });
});

describe("nearest names", () => {
  test("distances count letters inserted, removed and changed", () => {
    expect(editDistance("kitten", "sitting")).toBe(3);
    expect(editDistance("", "abc")).toBe(3);
    expect(editDistance("same", "same")).toBe(0);
  });

  test("only what is near is proposed", () => {
    expect(nearestName("BATCH-SIZE", ["batchSize", "steps"])).toBe("batchSize");
    expect(nearestName("step", ["batchSize", "steps"])).toBe("steps");
    expect(nearestName("everything", ["batchSize", "steps"])).toBeUndefined();
  });
});
