import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Model } from "../../src/generate/model.ts";
import { createNetworks } from "../../src/generate/networks.ts";
import { approximatePicture, latentColours } from "../../src/generate/preview.ts";
import { memoryParameters } from "../../src/models/checkpoint/parameters.ts";
import { autoencoderConfig } from "../../src/models/vae/config.ts";
import { decodePicture } from "../../src/node/decode-picture.ts";
import { openAutoencoder, withAutoencoder } from "../../src/node/open-autoencoder.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import { smallModel } from "../small-drawing.ts";

const data = "../shared/data";
const present = existsSync(`${data}/taesd`) && existsSync(`${data}/images`);

describe.skipIf(!present)(`Stable Diffusion's colours (skipped where ${data} is absent)`, () => {
  it("are those of photographs, as TAESD encodes them", { timeout: 300_000 }, async () => {
    const { source } = memoryParameters(new Map(), "nothing");
    const config = autoencoderConfig({ scaling_factor: 0.18215 });
    const wide: Model = { ...smallModel, autoencoder: { kind: "kl", config, source } };
    await using taesd = await openAutoencoder(`${data}/taesd`, wide.autoencoder);
    const runtime = onnxRuntime();
    const networks = createNetworks(runtime, withAutoencoder(wide, taesd));
    for (const name of ["dress", "hat", "shoes", "t-shirt"]) {
      const bytes = readFileSync(`${data}/images/${name}.jpg`);
      const picture = await decodePicture(bytes, name, { size: { width: 256, height: 256 } });
      const { mean } = await networks.encode({ ...picture, shape: [1, ...picture.shape] });
      const shown = approximatePicture(mean, latentColours(wide.autoencoder)!);
      const small = await decodePicture(bytes, name, { size: { width: 32, height: 32 } });
      // 0.80 for a patterned dress to 0.94 for a hat.
      expect(correlation(shown.data, small.data), name).toBeGreaterThan(0.75);
    }
    await runtime.dispose();
  });
});

function correlation(a: Float32Array, b: Float32Array): number {
  const mean = (x: Float32Array): number => x.reduce((sum, y) => sum + y, 0) / x.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (const [i, x] of a.entries()) {
    ab += (x - meanA) * (b[i]! - meanB);
    aa += (x - meanA) ** 2;
    bb += (b[i]! - meanB) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}
