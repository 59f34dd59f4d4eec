import type { Command } from "commander";
import type { CliCommand, CliContext } from "../command.ts";
import type { TrainOptions } from "../train-model.ts";

const more = `
Kinds, in the order in which a model needs them:
  autoencoder   pictures to latents and back (AutoencoderKL)
  base          a U-Net with its text encoder and vocabulary: a whole model
  lora          a style vector over a base
  lcd           latent consistency distillation: an LCM-LoRA, or a full model ("method": "full")
  lcf           latent consistency fine-tuning, without a teacher

A config is a JSON file; "data" (pictures with captions), "output" (the folder of the run) and "steps" are needed, other
keys have defaults. The folder of the run then holds the result, log.jsonl, report.html, samples and checkpoints. A run
that was stopped or killed goes on with --resume, to the same numbers.

Example:
  $ fourstep train lcd --config lcd.json
`;

/** `fourstep train KIND --config FILE`: trains a model or an adapter in a folder. */
export const trainCommand: CliCommand = (program: Command, context: CliContext) => {
  program
    .command("train")
    .summary("train a model, a style or an LCM-LoRA")
    .description("Trains a model, a style or an LCM-LoRA as a config says.")
    .argument("<kind>", "autoencoder, base, lora, lcd or lcf")
    .requiredOption("--config <file>", "JSON file that says what to train on, and how")
    .option("--resume", "go on with the run in the config's output folder", false)
    .option("--json", "print one JSON object per step on stdout", false)
    .addHelpText("after", more)
    .action(async (kind: string, options: TrainOptions) => {
      const { trainModel } = await import("../train-model.ts");
      await trainModel(kind, options, context);
    });
};
