import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { configChoice, configNumber, predictionFromConfig, scheduleFromConfig } from "./scheduler-config.ts";

describe("scheduleFromConfig", () => {
  const defaults = { schedule: "linear", start: 0.0001, end: 0.02 } as const;

  it("takes betas that are given", () => {
    expect([...scheduleFromConfig({ trained_betas: [0.5, 0.25] }, defaults).alphaBars]).toEqual([0.5, 0.375]);
  });

  it("names the field that is wrong", () => {
    expect(() => scheduleFromConfig({ beta_schedule: "sigmoid" }, defaults)).toThrow(
      'beta_schedule is "sigmoid", but it must be one of linear, scaled_linear, squaredcos_cap_v2',
    );
    expect(() => scheduleFromConfig({ beta_start: "0.1" }, defaults)).toThrow(UsageError);
    expect(() => scheduleFromConfig({ rescale_betas_zero_snr: 1 }, defaults)).toThrow("true or false");
  });
});

describe("predictionFromConfig", () => {
  it("is epsilon unless told", () => {
    expect(predictionFromConfig({})).toBe("epsilon");
    expect(predictionFromConfig({ prediction_type: "v_prediction" })).toBe("v_prediction");
    expect(() => predictionFromConfig({ prediction_type: "flow" })).toThrow("prediction_type");
  });
});

describe("fields", () => {
  it("count as absent when null", () => {
    expect(configNumber({ a: null }, "a", 3)).toBe(3);
    expect(configChoice({}, "b", ["x", "y"], "y")).toBe("y");
  });
});
