import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { encodeSafetensors } from "../../formats/safetensors.ts";
import { fromFloat32 } from "../../tensor/convert.ts";
import { filled, float32 } from "../../tensor/tensor.ts";
import { loraHashes, loraMetadata, modelMetadata } from "./lora-metadata.ts";

describe("loraHashes", () => {
  it("are those that sd-scripts writes", () => {
    const { metadata, hashes } = JSON.parse(readFileSync("test/fixtures/arithmetic/lora-hashes.json", "utf8")) as {
      metadata: Record<string, string>;
      hashes: Record<string, string>;
    };
    const row = (count: number, period: number): Float32Array =>
      Float32Array.from({ length: count }, (_, i) => i % period);
    const bytes = encodeSafetensors(
      {
        "lora_unet_b.lora_down.weight": fromFloat32(float32([4, 100_000], row(400_000, 251)), "float16"),
        "lora_unet_b.lora_up.weight": fromFloat32(float32([50_000, 4], row(200_000, 241)), "float16"),
        "lora_unet_b.alpha": float32([], [4]),
      },
      metadata,
    );
    expect(loraHashes(bytes)).toEqual(hashes);
  });
});

describe("loraMetadata", () => {
  const linear = { path: "a", down: filled([4, 10]), up: filled([8, 4]), alpha: 2 };
  const convolution = { path: "b", down: filled([3, 10, 3, 3]), up: filled([8, 3, 1, 1]), alpha: 3 };
  const facts = { title: "style", madeOf: ["x:1", "y:0.5"], modules: [linear, convolution] };

  it("says what sd-scripts and the ModelSpec say of a published family", () => {
    expect(loraMetadata({ ...facts, family: "Stable Diffusion 1.5" })).toEqual({
      ss_network_module: "networks.lora",
      ss_network_dim: "4",
      ss_network_alpha: "2",
      ss_network_args: '{"conv_dim":"3","conv_alpha":"3"}',
      ss_output_name: "style",
      ss_base_model_version: "sd_v1",
      ss_v2: "False",
      "modelspec.sai_model_spec": "1.0.0",
      "modelspec.architecture": "stable-diffusion-v1/lora",
      "modelspec.implementation": "diffusers",
      "modelspec.title": "style",
      "modelspec.resolution": "512x512",
      "modelspec.merged_from": "x:1, y:0.5",
    });
    expect(loraMetadata({ ...facts, family: "Stable Diffusion XL" })).toMatchObject({
      ss_base_model_version: "sdxl_base_v1-0",
      "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
    });
  });

  it("claims no base where it is not a published one, and no one rank where ranks differ", () => {
    const metadata = loraMetadata({
      ...facts,
      modules: [linear, { ...linear, down: filled([2, 10]) }],
      family: undefined,
    });
    expect(metadata).toMatchObject({ ss_network_dim: "Dynamic", ss_network_alpha: "2" });
    expect(Object.keys(metadata)).not.toContain("ss_base_model_version");
    expect(Object.keys(metadata)).not.toContain("modelspec.architecture");
    expect(modelMetadata("style", undefined, ["x:1"])).toEqual({ "modelspec.merged_from": "x:1" });
  });
});
