import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { float32 } from "../tensor/tensor.ts";
import { clipFromConfig, clipped, noClip } from "./clip.ts";

describe("clipped", () => {
  const latents = float32([2, 4], [1, -2, 3, -4, 0.1, 0.2, 0.3, 0.4]);

  it("leaves, clamps, or scales each sample by its own quantile", () => {
    expect(clipped(latents, noClip)).toBe(latents);
    expect(clipped(latents, { kind: "range", limit: 2 })).toEqual(float32([2, 4], [1, -2, 2, -2, 0.1, 0.2, 0.3, 0.4]));
    // Magnitudes 1 2 3 4: the middle is 2.5; the second sample's quantile counts as 1.
    expect(clipped(latents, { kind: "dynamic", quantile: 0.5, maximum: 10 })).toEqual(
      float32([2, 4], [0.4, -0.8, 1, -1, 0.1, 0.2, 0.3, 0.4]),
    );
    expect(clipped(latents, { kind: "dynamic", quantile: 0.5, maximum: 2 }).data[0]).toBe(0.5);
  });
});

describe("clipFromConfig", () => {
  it("reads what diffusers writes", () => {
    expect(clipFromConfig({}, false)).toEqual(noClip);
    expect(clipFromConfig({}, true)).toEqual({ kind: "range", limit: 1 });
    expect(clipFromConfig({ clip_sample: true, clip_sample_range: 3 }, false)).toEqual({ kind: "range", limit: 3 });
    expect(clipFromConfig({ thresholding: true, sample_max_value: 2 }, true)).toEqual({
      kind: "dynamic",
      quantile: 0.995,
      maximum: 2,
    });
    expect(() => clipFromConfig({ thresholding: true, dynamic_thresholding_ratio: 2 }, true)).toThrow(UsageError);
  });
});
