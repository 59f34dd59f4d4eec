import { describe, expect, it } from "vitest";
import { CheckpointError } from "../../errors.ts";
import { unetConfig } from "./config.ts";

describe("unetConfig", () => {
  it("resolves diffusers' shorthand for Stable Diffusion 1.5", () => {
    const config = unetConfig({ cross_attention_dim: 768 });
    expect(config.down.map(({ channels, layers, heads, depth }) => [channels, layers, heads, depth])).toEqual([
      [320, 2, 8, 1],
      [640, 2, 8, 1],
      [1280, 2, 8, 1],
      [1280, 2, 8, 0],
    ]);
    expect(config.up.map(({ channels, layers, depth }) => [channels, layers, depth])).toEqual([
      [1280, 3, 0],
      [1280, 3, 1],
      [640, 3, 1],
      [320, 3, 1],
    ]);
    expect(config.timeWidth).toBe(1280);
  });

  it("refuses what it would build wrongly, naming key and value", () => {
    expect(() => unetConfig({ addition_embed_type: "text_time" })).toThrow(CheckpointError);
    expect(() => unetConfig({ addition_embed_type: "text_time" })).toThrow(/"addition_embed_type" is "text_time"/);
    expect(() => unetConfig({ transformer_layers_per_block: [1, [2, 3], 1, 1] })).toThrow(/different depths \(2, 3\)/);
    expect(() => unetConfig({ act_fn: "mish" })).toThrow(/"act_fn"/);
  });
});
