import { describe, expect, test } from "vitest";
import { CheckpointError, FormatError, UsageError } from "../errors.ts";
import { layParametersOut, parameterTensors, type TrainingState } from "./engine.ts";
import { decodeLog, encodeLogEntry, type LogEntry, truncateLog } from "./log.ts";
import { decodeTrainingState, differingKeys, encodeTrainingState, requireSameConfig } from "./resume.ts";

const layout = layParametersOut([
  { name: "conv.weight", shape: [2, 3] },
  { name: "conv.bias", shape: [2] },
  { name: "scale", shape: [] },
]);
const state: TrainingState = {
  step: 1234,
  parameters: Float32Array.from({ length: 9 }, (_, i) => i / 3),
  firstMoment: Float32Array.from({ length: 9 }, (_, i) => -i),
  secondMoment: Float32Array.from({ length: 9 }, (_, i) => i * 1e-9),
  ema: undefined,
};

describe("layout", () => {
  test("parameters lie one after another and share the vector's memory", () => {
    expect(layout.entries.map(({ offset }) => offset)).toEqual([0, 6, 8]);
    expect(layout.length).toBe(9);
    const vector = state.parameters.slice();
    const tensors = parameterTensors(layout, vector);
    expect(tensors.get("conv.bias")).toEqual({ type: "float32", shape: [2], data: Float32Array.from([2, 7 / 3]) });
    vector[8] = 42;
    expect(tensors.get("scale")!.data[0]).toBe(42);
  });

  test("a name given twice is refused", () => {
    const twice = [
      { name: "a", shape: [1] },
      { name: "a", shape: [2] },
    ];
    expect(() => layParametersOut(twice)).toThrow(UsageError);
  });
});

describe("states", () => {
  test.each([undefined, Float32Array.from({ length: 9 }, (_, i) => i * 7)])("come back as they were (%#)", (ema) => {
    const bytes = encodeTrainingState({ ...state, ema }, layout);
    expect(decodeTrainingState(bytes, layout, "state")).toEqual({ ...state, ema });
  });

  test("of another network are refused with the first difference", () => {
    const bytes = encodeTrainingState(state, layout);
    const other = layParametersOut([
      { name: "conv.weight", shape: [2, 3] },
      { name: "conv.bias", shape: [3] },
    ]);
    const decode = (): unknown => decodeTrainingState(bytes, other, "state");
    expect(decode).toThrow(CheckpointError);
    expect(decode).toThrow("parameter 2 is conv.bias [2] there and conv.bias [3] here");
    const longer = layParametersOut([...layout.entries, { name: "more", shape: [] }]);
    expect(() => decodeTrainingState(bytes, longer, "state")).toThrow("parameter 4 is absent there and more [] here");
  });

  test("that are cut short or something else are recognised", () => {
    const bytes = encodeTrainingState(state, layout);
    for (const length of [0, 5, 100, bytes.length - 1]) {
      expect(() => decodeTrainingState(bytes.subarray(0, length), layout, "state")).toThrow(FormatError);
    }
  });
});

describe("configs", () => {
  const begun = { rate: 0.1, data: { folder: "a", flip: true }, list: [1, 2], sample: { every: 5 } };

  test("differences are named by dotted keys", () => {
    expect(differingKeys(begun, structuredClone(begun), [])).toEqual([]);
    const given = { rate: 0.2, data: { folder: "a", crop: 1 }, list: [1, 3], sample: { every: 6 } };
    expect(differingKeys(begun, given, [])).toEqual(["data.crop", "data.flip", "list", "rate", "sample.every"]);
    expect(differingKeys(begun, given, ["sample", "rate", "data.crop"])).toEqual(["data.flip", "list"]);
  });

  test("the order of keys does not matter", () => {
    expect(differingKeys({ a: 1, b: { c: 2, d: 3 } }, { b: { d: 3, c: 2 }, a: 1 }, [])).toEqual([]);
  });

  test("another config is refused in one sentence", () => {
    const given = { ...begun, rate: 0.2 };
    expect(() => requireSameConfig(begun, given, [], "run")).toThrow(
      "run: this run began with another config, which differs in rate (was 0.1, is 0.2)",
    );
    expect(() => requireSameConfig(begun, given, ["rate"], "run")).not.toThrow();
    const many = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`k${i}`, i]));
    expect(() => requireSameConfig({}, many, [], "run")).toThrow("and 3 more");
  });
});

describe("log", () => {
  const entry = (step: number): LogEntry => ({
    step,
    loss: 0.1 + 0.2,
    rate: 1e-4,
    gradientNorm: 3,
    pictures: 8,
    milliseconds: 12.34,
    metrics: { accuracy: 0.5 },
  });
  const text = [1, 2, 3, 4].map((step) => encodeLogEntry(entry(step))).join("");

  test("entries come back with all digits, times to a tenth", () => {
    expect(decodeLog(text, "log")[1]).toEqual({ ...entry(2), milliseconds: 12.3 });
  });

  test("metrics that are not finite survive as NaN", () => {
    const line = encodeLogEntry({ ...entry(1), metrics: { empty: Number.NaN } });
    expect(decodeLog(line, "log")[0]!.metrics).toEqual({ empty: Number.NaN });
  });

  test("is cut to a step, and before a half-written line", () => {
    expect(decodeLog(truncateLog(text, 2), "log").map(({ step }) => step)).toEqual([1, 2]);
    expect(truncateLog(text, 9)).toBe(text);
    expect(truncateLog(text.slice(0, -5), 9)).toBe(text.split("\n").slice(0, 3).join("\n").concat("\n"));
    expect(truncateLog(text.slice(0, -1), 9)).toBe(truncateLog(text, 3));
    expect(truncateLog("", 9)).toBe("");
    expect(truncateLog(text, 0)).toBe("");
  });

  test("a wrong line is named", () => {
    expect(() => decodeLog(`${text}{"step":5}\n`, "log.jsonl")).toThrow(/log\.jsonl, line 5: "metrics"/);
  });
});
