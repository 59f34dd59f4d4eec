import { clipTextConfig } from "../../models/clip.ts";
import { loadClipTokenizer } from "../../models/tokenizer/clip-tokenizer.ts";
import { baseObjective } from "../../training/base.ts";
import type { BaseTrainingConfig } from "../../training/config/base.ts";
import { firstValues, parametersAsFiles } from "../../training/initialise.ts";
import { unetPrefix } from "../../training/roles.ts";
import { assembleJob } from "./assemble.ts";
import { captionedSet } from "./captioned-set.ts";
import type { JobContext } from "./context.ts";
import { denoisingBatches } from "./denoising.ts";
import type { MemoryModel } from "./memory-model.ts";
import { describeScheduler, describeTextEncoder, describeUNet } from "./model-configs.ts";
import { hashAutoencoder, latentSide, openAutoencoder, openBase } from "./open-base.ts";
import { modelOutcome } from "./outcomes.ts";
import { openTrainingPictures } from "./pictures.ts";
import { hashTexts } from "./sources.ts";
import { requireFitting, type StartValues, startFromBase, startFromPart } from "./start-values.ts";
import type { TrainingJob } from "./training-job.ts";
import { makeVocabulary } from "./vocabulary.ts";

/** What names of the text encoder's parameters begin with. */
const textPrefix = "text_encoder.";

const startFromModel = ({ unet, textEncoder }: MemoryModel): StartValues =>
  new Map([...startFromBase(unet.tensors), ...startFromPart(textEncoder.tensors, textPrefix)]);

/**
 * A U-Net with its text encoder and vocabulary, over a trained autoencoder. The result is a folder of diffusers.
 * @throws UsageError when pictures, autoencoder or what to begin with are missing or do not fit; CheckpointError when a network's
 * configuration is not understood
 */
export async function baseJob(config: BaseTrainingConfig, context: JobContext): Promise<TrainingJob> {
  const { seed, batchSize } = config;
  const autoencoder = await openAutoencoder(config.autoencoder);
  const { positions: tokens, width } = clipTextConfig(config.textEncoder);
  const { latentChannels } = autoencoder.config;
  // The size is known only with the network's levels, and its levels only once it is read.
  const levels = describeUNet(config.unet, latentChannels, 1, width).config.down.length;
  const size = latentSide(config.size, autoencoder, levels);
  const unet = describeUNet(config.unet, latentChannels, size, width);
  const scheduler = describeScheduler(config.scheduler);

  const pictures = await openTrainingPictures(config, context);
  const start = config.start === "none" ? undefined : await openBase(config.start);
  const vocabulary = { size: config.vocabularySize, tokens, places: config.vocabularyData };
  const tokenizerFiles = start?.model.tokenizerFiles ?? (await makeVocabulary(pictures.entries, vocabulary));
  const tokenizer = loadClipTokenizer(tokenizerFiles);
  context.onNotice(`a vocabulary of ${tokenizer.size.toLocaleString("en")} entries`);
  const textEncoder = describeTextEncoder(config.textEncoder, tokenizer);
  const options = { autoencoder, tokenizer, tokens, captionDropout: config.captionDropout };
  const set = await captionedSet(config, pictures, options, context);

  const objective = baseObjective({ unet: unet.config, text: textEncoder.config, batch: batchSize, size });
  const { parameters } = objective;
  const begun = start && requireFitting(startFromModel(start.model), parameters, config.start);
  const outcome = modelOutcome(
    (vector) => ({
      name: config.output,
      unet: { ...unet, tensors: parametersAsFiles(parameters, vector, unetPrefix) },
      textEncoder: { ...textEncoder, tensors: parametersAsFiles(parameters, vector, textPrefix) },
      autoencoder,
      tokenizer,
      tokenizerFiles,
      scheduler,
    }),
    context.folder,
  );
  return assembleJob(
    config,
    {
      objective,
      initial: firstValues(parameters, seed, begun),
      sources: {
        pictures: pictures.key,
        autoencoder: hashAutoencoder(autoencoder),
        vocabulary: hashTexts(Object.values(tokenizerFiles)),
        ...(start === undefined ? {} : { start: start.hash }),
      },
      outcome,
      sampler: "ddim",
      records: pictures.entries,
      ...denoisingBatches(config, scheduler, set),
    },
    context,
  );
}
