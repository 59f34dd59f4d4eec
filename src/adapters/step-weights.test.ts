import { describe, expect, it } from "vitest";
import { parseStepWeights, type StepWeights, startAndStop } from "./step-weights.ts";

const over = (weights: StepWeights, steps: number): number[] =>
  Array.from({ length: steps }, (_, i) => weights.at(i, steps));

describe("weights that change with the steps", () => {
  it.each([
    ["0.8@0-50%,0@50-100%", 4, [0.8, 0.8, 0, 0]],
    ["0.8@0%-50%", 5, [0.8, 0.8, 0.8, 0, 0]],
    ["1@0-33%,-0.5@66-100%", 3, [1, 0, -0.5]],
    ["1@50-100%", 1, [0]],
    ["0.8@1-2,0.1@3", 4, [0.8, 0.8, 0.1, 0]],
    ["0.2@1-8,1@3-4", 5, [0.2, 0.2, 1, 1, 0.2]],
    [" 1 @0-100% ", 2, [1, 1]],
  ])("%s in %i steps", (text, steps, expected) => {
    expect(over(parseStepWeights(text), steps)).toEqual(expected);
  });

  it.each([
    ["@0-50%", 'the weight "" must be a number, such as 0.8.'],
    ["strong@0-50%", 'the weight "strong" must be a number'],
    ["0.8@", '"0.8@": "0.8@" is no weight for some steps; write such as 0.8@0-50% or, by their numbers, 0.8@1-2.'],
    ["0.8@a-b", "is no weight for some steps"],
    ["0.8@0-50%,0.2", '"0.2" is no weight for some steps'],
    ["0.8@1-50%", undefined],
    ["0.8@1%-50", "is no weight for some steps"],
    ["0.8@-5", "is no weight for some steps"],
  ])("%s is refused unless it is read", (text, sentence) => {
    if (sentence === undefined) expect(over(parseStepWeights(text), 2)).toEqual([0, 0]);
    else expect(() => parseStepWeights(text)).toThrow(sentence);
  });
});

describe("start and stop of LoRA Block Weight", () => {
  it.each([
    [3, undefined, [0, 0, 0.5, 0.5, 0.5]],
    [undefined, 3, [0.5, 0.5, 0, 0, 0]],
    [2, 4, [0, 0.5, 0.5, 0, 0]],
    [0.4, undefined, [0, 0.5, 0.5, 0.5, 0.5]],
    [undefined, 0.6, [0.5, 0.5, 0, 0, 0]],
    [0.01, undefined, [0.5, 0.5, 0.5, 0.5, 0.5]],
  ])("from %s to %s", (start, stop, expected) => {
    expect(over(startAndStop(0.5, start, stop), 5)).toEqual(expected);
  });
});
