import { describe, expect, it } from "vitest";
import { CheckpointError } from "../../errors.ts";
import { unetConfig } from "./config.ts";

describe("unetConfig", () => {
  it("resolves diffusers' shorthand for Stable Diffusion 1.5", () => {
    const config = unetConfig({ cross_attention_dim: 768 });
    expect(config.down.map(({ channels, layers, heads, depths }) => [channels, layers, heads, depths])).toEqual([
      [320, 2, 8, [1, 1]],
      [640, 2, 8, [1, 1]],
      [1280, 2, 8, [1, 1]],
      [1280, 2, 8, []],
    ]);
    expect(config.up.map(({ channels, layers, depths }) => [channels, layers, depths])).toEqual([
      [1280, 3, []],
      [1280, 3, [1, 1, 1]],
      [640, 3, [1, 1, 1]],
      [320, 3, [1, 1, 1]],
    ]);
    expect(config.timeWidth).toBe(1280);
  });

  it("refuses what it would build wrongly, naming key and value", () => {
    const wrong = { addition_embed_type: "text_image" };
    expect(() => unetConfig(wrong)).toThrow(CheckpointError);
    expect(() => unetConfig(wrong)).toThrow(/"addition_embed_type"/);
    expect(() => unetConfig({ addition_embed_type: "text_time" })).toThrow(/"addition_time_embed_dim"/);
    expect(() => unetConfig({ class_embed_type: "timestep" })).toThrow(/"class_embed_type" is "timestep"/);
    expect(() => unetConfig({ only_cross_attention: true })).toThrow(/"only_cross_attention" is true/);
    expect(() => unetConfig({ transformer_layers_per_block: [1, [2, 3], 1, 1] })).toThrow(/way up/);
    expect(() => unetConfig({ transformer_layers_per_block: [1, 2] })).toThrow(/has 2 entries/);
    expect(() => unetConfig({ attention_head_dim: [5, 10, 20] })).toThrow(/"attention_head_dim" has 3 entries/);
    expect(() =>
      unetConfig({ transformer_layers_per_block: [[1], 1, 1, 1], reverse_transformer_layers_per_block: [1, 1, 1, 1] }),
    ).toThrow(/a block of 2 layers the depths 1/);
    expect(() => unetConfig({ act_fn: "mish" })).toThrow(/"act_fn"/);
  });
});
