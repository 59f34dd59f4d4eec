import { type Command, Option } from "commander";
import type { CliCommand, CliContext } from "../command.ts";
import type { ExtractOptions } from "../extract-vector.ts";
import { numberWithin, wholeNumber } from "../values.ts";

const more = `
Examples:
  $ fourstep extract fine-tuned.safetensors base.safetensors --rank 32 --out style.safetensors
  $ fourstep extract fine-tuned-folder base-folder --energy 0.99 --out style.safetensors
`;

/** `fourstep extract FINE_TUNED BASE`: what fine-tuning changed, as a LoRA. */
export const extractCommand: CliCommand = (program: Command, context: CliContext) => {
  program
    .command("extract")
    .summary("make a LoRA of what two models differ by")
    .description("Makes a LoRA of what fine-tuning changed, by singular value decomposition of each layer's change.")
    .argument("<fine-tuned>", "a model: folder or single file")
    .argument("<base>", "the model that it was trained from")
    .option("--rank <r>", "rank of each layer; with --energy the highest", wholeNumber(1, 65536))
    .option("--energy <share>", "share of each change's squared norm that its rank must hold", numberWithin(0, 1))
    .addOption(new Option("--type <type>", "type of the weights").choices(["fp16", "bf16", "fp32"]).default("fp16"))
    .requiredOption("--out <file>", "file to write, ending in .safetensors")
    .option("--json", "print one JSON object on stdout, with each layer's rank, norm and error")
    .addHelpText("after", more)
    .action(async (fineTuned: string, base: string, options: ExtractOptions) => {
      const { extractVector } = await import("../extract-vector.ts");
      await extractVector(fineTuned, base, options, context);
    });
};
