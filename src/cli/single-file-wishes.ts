import { type Command, Option } from "commander";
import type { OpenModelOptions } from "../node/open-model.ts";

/** What of a command line is about models in one file, which say less about themselves than folders do. */
export interface SingleFileWishes {
  /** Folder with the tokenizer. */
  readonly tokenizer?: string;
  /** What the U-Net predicts. */
  readonly prediction?: keyof typeof predictions;
  /** Another autoencoder than the file's, which may then lack its own. */
  readonly vae?: string;
}

const predictions = { epsilon: "epsilon", v: "v_prediction" } as const;

/** Adds the options that models in one file need. */
export function addSingleFileOptions(command: Command): Command {
  return command
    .option(
      "--tokenizer <folder>",
      "folder with CLIP's vocab.json and merges.txt, for a model in one file (default: beside it, or from the hub's cache)",
    )
    .addOption(
      new Option("--prediction <kind>", "what a model in one file predicts (default: found out)").choices(
        Object.keys(predictions),
      ),
    );
}

/** The wishes as they are for opening a model. */
export function openingOptions(
  { tokenizer, prediction, vae }: SingleFileWishes,
  env: NonNullable<OpenModelOptions["env"]>,
): OpenModelOptions {
  return {
    env,
    ...(tokenizer === undefined ? {} : { tokenizer }),
    ...(prediction === undefined ? {} : { prediction: predictions[prediction] }),
    ...(vae === undefined ? {} : { replaced: ["vae"] }),
  };
}
