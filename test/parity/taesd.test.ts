import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { encode } from "../../src/graph/encode.ts";
import { input } from "../../src/graph/value.ts";
import { loadWeights, memoryParameters } from "../../src/models/checkpoint/parameters.ts";
import { storedWeights } from "../../src/models/checkpoint/stored-weights.ts";
import { layers } from "../../src/models/layers.ts";
import {
  bareTinyParameters,
  decodeLatentsTiny,
  encodePicturesTiny,
  tinyAutoencoderConfig,
} from "../../src/models/vae/autoencoder-tiny.ts";
import { decodePicture } from "../../src/node/decode-picture.ts";
import { openModelFolder } from "../../src/node/model-folder.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

const data = "../shared/data";
const present = existsSync(`${data}/taesd`) && existsSync(`${data}/images`);
const size = 256;

describe.skipIf(!present)(`TAESD's published weights (skipped where ${data} is absent)`, () => {
  it("reconstruct photographs, with latents of the scale that diffusion expects", { timeout: 300_000 }, async () => {
    await using folder = await openModelFolder(`${data}/taesd`);
    const half = async (name: string): Promise<ReturnType<typeof memoryParameters>> =>
      memoryParameters(await loadWeights(await storedWeights(folder, [name], "autoencoder")), name);
    const encoder = await half("taesd_encoder.safetensors");
    const decoder = await half("taesd_decoder.safetensors");
    const at = layers(bareTinyParameters(encoder.source, decoder.source));
    const config = tinyAutoencoderConfig({ _class_name: "AutoencoderTiny" });
    const latents = encodePicturesTiny(at, config, input("pictures", [3, 1, size, size]));
    const decoded = decodeLatentsTiny(at, config, latents);
    expect([...encoder.unused(), ...decoder.unused()]).toEqual([]);

    const runtime = onnxRuntime();
    const session = await runtime.compile(encode({ latents, decoded }));
    const decibels: number[] = [];
    for (const name of ["dress", "hat", "shoes", "t-shirt"]) {
      const bytes = readFileSync(`${data}/images/${name}.jpg`);
      const { data: pixels } = await decodePicture(bytes, name, { size: { width: size, height: size } });
      const { latents: z, decoded: y } = await session.run({
        pictures: { type: "float32", shape: [3, 1, size, size], data: pixels },
      });
      expect(z!.shape).toEqual([4, 1, size / 8, size / 8]);
      const spread = standardDeviation(z!.data as Float32Array);
      expect(spread, `${name}: spread of the latents`).toBeGreaterThan(0.5);
      expect(spread, `${name}: spread of the latents`).toBeLessThan(2);
      decibels.push(peakSignalToNoise(pixels, y!));
    }
    // 24.2 dB of a patterned dress to 33.9 dB of a hat.
    expect(Math.min(...decibels)).toBeGreaterThan(24);
    expect(decibels.reduce((sum, x) => sum + x, 0) / decibels.length).toBeGreaterThan(28);
    await runtime.dispose();
  });
});

/** In dB, of pictures from -1 to 1. */
function peakSignalToNoise(expected: Float32Array, { data: actual }: Tensor): number {
  const squares = expected.reduce((sum, x, i) => sum + (x - Math.max(-1, Math.min(1, Number(actual[i])))) ** 2, 0);
  return 10 * Math.log10(4 / (squares / expected.length));
}

function standardDeviation(values: Float32Array): number {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  return Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
}
