import { describe, expect, it } from "vitest";
import { CheckpointError } from "../errors.ts";
import { encode } from "../graph/encode.ts";
import { input, type Value } from "../graph/value.ts";
import { layers } from "../models/layers.ts";
import { autoencoderTable } from "../models/module-table.ts";
import { decodeLatents, encodePictures } from "../models/vae/autoencoder-kl.ts";
import { autoencoderConfig } from "../models/vae/config.ts";
import { onnxRuntime } from "../runtime/onnx-runtime.ts";
import { counterNormal } from "../tensor/random/counter.ts";
import { elementCount, float32, type Tensor } from "../tensor/tensor.ts";
import { foldLatentStatistics, latentStatistics } from "./latent-statistics.ts";

const config = autoencoderConfig({
  block_out_channels: [4, 8],
  layers_per_block: 1,
  norm_num_groups: 2,
  latent_channels: 3,
});

function normal(name: string, ...shape: number[]): Tensor<"float32"> {
  return float32(shape, counterNormal(1, name, 0, elementCount(shape)));
}

/** Every number drawn: no layer is the identity. */
function randomWeights(): Map<string, Tensor<"float32">> {
  return new Map(
    autoencoderTable(config).parameters.map(({ name, shape }) => {
      const { data } = normal(name, ...shape);
      const spread = shape.length === 1 ? 0.3 : 1 / Math.sqrt(elementCount(shape.slice(1)));
      const centre = shape.length === 1 && name.endsWith(".weight") ? 1 : 0;
      return [
        name,
        float32(
          shape,
          Float32Array.from(data, (x) => centre + spread * x),
        ),
      ];
    }),
  );
}

describe("latentStatistics", () => {
  it("gives mean and deviation of each channel", () => {
    const { mean, deviation } = latentStatistics(float32([2, 2, 1, 2], [1, 3, 5, 7, -2, -2, 2, 2]));
    expect(mean).toEqual([4, 0]);
    expect(deviation).toEqual([Math.sqrt(5), 2]);
  });
});

describe("foldLatentStatistics", () => {
  it("makes latents of mean 0 and deviation 1, and leaves pictures and the relative noise as they were", async () => {
    const weights = randomWeights();
    const made = new Map<string, Value>();
    const network = layers((name, shape) => {
      const value = made.get(name) ?? input(name, shape);
      made.set(name, value);
      return value;
    });
    const { mean, logVariance } = encodePictures(network, config, input("pictures", [3, 6, 8, 8]));
    const decoded = decodeLatents(network, config, input("latents", [3, 6, 4, 4]));
    const runtime = onnxRuntime({ threads: 1 });
    const session = await runtime.compile(encode({ mean, logVariance, decoded }));
    const pictures = normal("pictures", 3, 6, 8, 8);
    const run = async (
      used: ReadonlyMap<string, Tensor>,
      latents: Tensor,
    ): Promise<Record<"mean" | "logVariance" | "decoded", Tensor<"float32">>> =>
      (await session.run({ ...Object.fromEntries(used), pictures, latents })) as never;

    const plain = await run(weights, normal("latents", 3, 6, 4, 4));
    const statistics = latentStatistics(plain.mean);
    const before = await run(weights, plain.mean);
    const folded = foldLatentStatistics(weights, statistics);
    const unit = (await run(folded, plain.mean)).mean;
    const after = await run(folded, unit);
    await runtime.dispose();

    const found = latentStatistics(unit);
    for (let c = 0; c < 3; c++) {
      expect(statistics.deviation[c]!).toBeGreaterThan(0.05);
      expect(found.mean[c]!).toBeCloseTo(0, 5);
      expect(found.deviation[c]!).toBeCloseTo(1, 5);
      const [m, s] = [statistics.mean[c]!, statistics.deviation[c]!];
      for (let i = c * 96; i < (c + 1) * 96; i++) {
        expect(unit.data[i]!).toBeCloseTo((plain.mean.data[i]! - m) / s, 4);
        // The spread of q(z | x) shrinks and grows with its mean.
        expect(Math.exp(after.logVariance.data[i]! / 2)).toBeCloseTo(Math.exp(plain.logVariance.data[i]! / 2) / s, 4);
      }
    }
    after.decoded.data.forEach((x, i) => {
      expect(x).toBeCloseTo(before.decoded.data[i]!, 4);
    });
  });

  it("changes a copy of the two convolutions and nothing else", () => {
    const weights = randomWeights();
    const quant = weights.get("quant_conv.weight")!;
    const kept = quant.data.slice();
    const folded = foldLatentStatistics(weights, { mean: [1, 2, 3], deviation: [2, 3, 4] });
    expect(quant.data).toEqual(kept);
    const changed = [...folded].filter(([name, tensor]) => tensor !== weights.get(name)).map(([name]) => name);
    expect(changed.sort()).toEqual([
      "post_quant_conv.bias",
      "post_quant_conv.weight",
      "quant_conv.bias",
      "quant_conv.weight",
    ]);
  });

  it("needs the two convolutions", () => {
    expect(() => foldLatentStatistics(new Map(), { mean: [0], deviation: [1] })).toThrow(CheckpointError);
    expect(() => foldLatentStatistics(new Map(), { mean: [0], deviation: [1] })).toThrow("has no quant_conv.weight");
  });
});
