import { type Command, Option } from "commander";
import { mergeMethods } from "../../adapters/arithmetic/merge-changes.ts";
import type { CliCommand, CliContext } from "../command.ts";
import type { MergeCommandOptions } from "../merge-vectors.ts";
import { collect, numberWithin, wholeNumber } from "../values.ts";

const more = `
With a model as BASE the result is a model in the same layout (a folder, or one .safetensors file); with a LoRA it is a LoRA.

Methods: linear (a weighted sum), ties, dare-linear, dare-ties and magnitude-prune (of what is added, --density of the
numbers is kept), slerp (between BASE and one other, whose weight says how far).

Examples:
  $ fourstep merge models/fourstep-64 --add lcm-lora.safetensors --add style-ink.safetensors:0.8 --out ink-in-four-steps
  $ fourstep merge base.safetensors --subtract style.safetensors:0.5 --out less-style.safetensors
  $ fourstep merge a.safetensors:0.7 --add b.safetensors:0.3 --out weighted-sum.safetensors
  $ fourstep merge a.safetensors --add b.safetensors --subtract c.safetensors --out add-difference.safetensors
  $ fourstep merge style-ink.safetensors:0.8 --add lcm-lora.safetensors --rank 32 --out both.safetensors
`;

/** `fourstep merge BASE --add FILE`: combines models and LoRAs. */
export const mergeCommand: CliCommand = (program: Command, context: CliContext) => {
  program
    .command("merge")
    .summary("combine models and LoRAs into one")
    .description("Adds models and LoRAs to a model or a LoRA, or takes them away, and writes the result.")
    .argument("<base>", "a model (folder or single file) or a LoRA, or FILE:weight")
    .option("--add <file[:weight]>", "a LoRA or a model to add; may be given more than once", collect, [])
    .option("--subtract <file[:weight]>", "a LoRA or a model to take away; may be given more than once", collect, [])
    .addOption(
      new Option("--method <name>", "how they are merged").choices([...mergeMethods, "slerp"]).default("linear"),
    )
    .option("--density <share>", "share of each change's numbers that is kept, above 0", numberWithin(0, 1), 1)
    .option("--seed <n>", "where chance begins with dare-linear and dare-ties", wholeNumber(0, 2 ** 32 - 1), 0)
    .addOption(
      new Option("--election <name>", "how ties and dare-ties elect a sign")
        .choices(["total", "frequency"])
        .default("total"),
    )
    .option("--rank <r>", "rank of a merged LoRA (default: exact where the method allows it)", wholeNumber(1, 65536))
    .option("--factors", "merge the A's and the B's of LoRAs apart, as PEFT does; this brings in cross terms")
    .addOption(
      new Option("--type <type>", "type of the weights (default: the base's; of a LoRA fp16)").choices([
        "fp16",
        "bf16",
        "fp32",
      ]),
    )
    .option("--model <model>", "model that LoRAs fit (default: the package's, or a published family's layers)")
    .requiredOption("--out <path>", "file or folder to write")
    .option("--json", "print one JSON object on stdout")
    .addHelpText("after", more)
    .action(async (base: string, options: MergeCommandOptions) => {
      const { mergeVectors } = await import("../merge-vectors.ts");
      await mergeVectors(base, options, context);
    });
};
