import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomically } from "../../formats/file-source.node.ts";
import { encodeSafetensors } from "../../formats/safetensors.ts";
import { fromFloat32, toFloat32 } from "../../tensor/convert.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { autoencoderBatch, autoencoderObjective } from "../../training/autoencoder.ts";
import type { AutoencoderTrainingConfig } from "../../training/config/autoencoder.ts";
import { createBatchOrder } from "../../training/data/batch-order.ts";
import { firstValues, parametersAsFiles } from "../../training/initialise.ts";
import { foldLatentStatistics, latentStatistics } from "../../training/latent-statistics.ts";
import { createReconstructor } from "./autoencoder-quality.ts";
import { type JobContext, planOf, resultOf } from "./context.ts";
import { mirroredAt } from "./latent-batches.ts";
import type { Weights } from "./memory-model.ts";
import { describeAutoencoder } from "./model-configs.ts";
import { hashAutoencoder, openAutoencoder } from "./open-base.ts";
import { openTrainingPictures } from "./pictures.ts";
import { mapsApart, pixelSource } from "./pixels.ts";
import { encodeSheet, spread } from "./sample-sheet.ts";
import { requireFitting, startFromPart } from "./start-values.ts";
import type { TrainingJob } from "./training-job.ts";

/** Pictures over which the result's statistics and error are taken, at most. */
const picturesOfResult = 1024;
/** The same for measures while the run goes on. */
const picturesOfMeasure = 128;
/** Deviations below this are rounding. */
const leastDeviation = 1e-6;
/** Pictures of a sheet, which shows them above what became of them. */
const picturesOfSheet = 8;

/**
 * An AutoencoderKL from pictures. The result is a folder `vae`, whose latents have mean 0 and deviation 1 in each channel.
 * @throws UsageError when there are no pictures or what to begin with does not fit; CheckpointError when the network's
 * configuration is not understood
 */
export async function autoencoderJob(config: AutoencoderTrainingConfig, context: JobContext): Promise<TrainingJob> {
  const { size, batchSize, accumulate, flip, seed, klWeight, hueWeight } = config;
  const described = describeAutoencoder(config.vae, size);
  const objective = autoencoderObjective(described.config, { batch: batchSize, size, klWeight, hueWeight });
  const start = config.start === "none" ? undefined : await openAutoencoder(config.start);
  const begun = start && requireFitting(startFromPart(start.tensors, ""), objective.parameters, config.start);
  const { entries, key } = await openTrainingPictures(config, context);
  const pixels = pixelSource(entries, { width: size, height: size });
  const order = createBatchOrder(seed, entries.length);
  const count = batchSize * accumulate;
  const reconstructor = createReconstructor(described.config, size, picturesOfSheet, pixels);
  const places = (most: number): number[] =>
    spread(
      entries.map((_, index) => index),
      most,
    );
  const weightsOf = (vector: Float32Array): Weights => parametersAsFiles(objective.parameters, vector);
  return {
    objective,
    initial: firstValues(objective.parameters, seed, begun),
    ...planOf(config),
    sources: { pictures: key, ...(start === undefined ? {} : { start: hashAutoencoder(start) }) },
    sheetCaption: "pictures above, their reconstructions below",
    async batchAt(step) {
      const indices = order(step, count);
      const mirrored = mirroredAt(seed, step, count, flip);
      const parts = Array.from({ length: accumulate }, async (_, part) => {
        const range = [part * batchSize, (part + 1) * batchSize] as const;
        const pictures = await pixels(indices.slice(...range), mirrored.slice(...range));
        return autoencoderBatch(described.config, pictures, seed, step, part);
      });
      return Promise.all(parts);
    },
    async measure(state) {
      const { psnr } = await reconstructor.run(weightsOf(resultOf(state)), places(picturesOfMeasure));
      return { psnr };
    },
    judge: undefined,
    async sample(state) {
      const { last } = await reconstructor.run(weightsOf(resultOf(state)), places(picturesOfSheet));
      return encodeSheet([...mapsApart(last.pictures), ...mapsApart(last.decoded)], picturesOfSheet);
    },
    async export(vector) {
      const weights = weightsOf(vector);
      const sample = places(picturesOfResult);
      const { latents } = await reconstructor.run(weights, sample);
      const { mean, deviation } = latentStatistics(latents);
      // A channel that is the same everywhere cannot be brought to deviation 1.
      const usable = deviation.map((one) => (one > leastDeviation ? one : 1));
      const stored = halved(foldLatentStatistics(weights, { mean, deviation: usable }));
      const folder = join(context.folder, "vae");
      await mkdir(folder, { recursive: true });
      const head = { _class_name: "AutoencoderKL", ...described.json };
      await writeFileAtomically(join(folder, "config.json"), `${JSON.stringify(head, undefined, 2)}\n`);
      const file = join(folder, "diffusion_pytorch_model.safetensors");
      await writeFileAtomically(file, encodeSafetensors(stored, { format: "pt" }));
      const written = new Map([...stored].map(([name, tensor]) => [name, toFloat32(tensor)]));
      const { psnr } = await reconstructor.run(written, sample);
      context.onNotice(`reconstructs ${sample.length} pictures with ${psnr.toFixed(2)} dB (PSNR)`);
      return [folder];
    },
    dispose: () => reconstructor.dispose(),
  };
}

function halved(weights: Weights): Map<string, Tensor> {
  return new Map([...weights].map(([name, tensor]) => [name, fromFloat32(tensor, "float16")]));
}
