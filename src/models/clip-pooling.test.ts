import { describe, expect, it } from "vitest";
import { CheckpointError } from "../errors.ts";
import { input } from "../graph/value.ts";
import { clipTextConfig } from "./clip.ts";
import { endPlace, projectedText } from "./clip-pooling.ts";
import { layers } from "./layers.ts";

const old = clipTextConfig({ vocab_size: 49408, eos_token_id: 2 });
const recent = clipTextConfig({ vocab_size: 49408, eos_token_id: 49407 });

describe("endPlace", () => {
  it("is the first end of the text, whatever pads it", () => {
    const texts = [
      [49406, 320, 736, 49407, 49407, 49407],
      [49406, 320, 736, 49407, 0, 0],
      [49406, 2, 736, 49407, 0, 0],
    ];
    for (const ids of texts) for (const config of [old, recent]) expect(endPlace(config, ids)).toBe(3);
  });

  it("passes over learned words, whose numbers are higher than the end's", () => {
    for (const config of [old, recent]) expect(endPlace(config, [49406, 49408, 49409, 320, 49407])).toBe(4);
  });

  it("goes by the configuration's own number where it has one, and by 49407 where it has none", () => {
    expect(endPlace(clipTextConfig({ vocab_size: 600, eos_token_id: 513 }), [512, 599, 513, 513])).toBe(2);
    expect(clipTextConfig({}).endToken).toBe(49407);
  });
});

describe("projectedText", () => {
  it("refuses a model that has no projection", () => {
    const source = (name: string, shape: readonly number[]) => input(name, shape);
    const ends = input("ends", [1], "int64");
    const build = () => projectedText(layers(source), old, input("last", [6, 512]), ends);
    expect(build).toThrow(CheckpointError);
    expect(build).toThrow("The text encoder has no text_projection");
  });
});
