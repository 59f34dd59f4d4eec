import type { Command } from "commander";
import type { CliCommand, CliContext } from "../command.ts";
import type { CompareCommandOptions } from "../compare-two.ts";
import { wholeNumber } from "../values.ts";

const more = `
norm      Frobenius norm of the change of all weights of a block
cosine    of both changes as long vectors: 0 where they have nothing to do with each other, so that adding them is harmless
inputs,   how far the leading directions of both coincide, from 0 to 1, in what a layer reads and in what it writes (the
outputs   LoRA paper's phi); in brackets what unrelated directions would have

Examples:
  $ fourstep compare style-ink.safetensors lcm-lora.safetensors --heatmap overlap.png
  $ fourstep compare fine-tuned.safetensors lcm-lora.safetensors --base base.safetensors
`;

/** `fourstep compare A B`: how far two vectors overlap. */
export const compareCommand: CliCommand = (program: Command, context: CliContext) => {
  program
    .command("compare")
    .summary("say how far two vectors overlap")
    .description("Compares two LoRAs, or models by what they differ from a base by: norms, cosines, common directions.")
    .argument("<a>", "a LoRA or a model")
    .argument("<b>", "another")
    .option("--base <model>", "the model that both change (LoRAs: found unless told)")
    .option("--directions <k>", "leading directions of each layer that are compared", wholeNumber(1, 4096), 8)
    .option("--heatmap <file>", "draw cosines by block and kind of layer, as .png or .svg")
    .option("--json", "print one JSON object on stdout, with each layer")
    .addHelpText("after", more)
    .action(async (a: string, b: string, options: CompareCommandOptions) => {
      const { compareTwo } = await import("../compare-two.ts");
      await compareTwo(a, b, options, context);
    });
};
