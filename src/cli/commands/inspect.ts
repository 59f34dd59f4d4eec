import type { Command } from "commander";
import { UsageError } from "../../errors.ts";
import type { CliCommand, CliContext } from "../command.ts";
import type { InspectOptions } from "../describe-path.ts";

const more = `
Examples:
  $ fourstep inspect models/fourstep-64
  $ fourstep inspect v1-5-pruned-emaonly.safetensors
  $ fourstep inspect lcm-lora-sdv1-5.safetensors
  $ fourstep inspect style.safetensors --model models/fourstep-64
  $ fourstep inspect --table1
`;

/** `fourstep inspect FILE|DIR|ID`: says what a model, a part of one, a LoRA or a picture is. */
export const inspectCommand: CliCommand = (program: Command, context: CliContext) => {
  program
    .command("inspect")
    .summary("say what a model, a LoRA or a picture is")
    .description(
      "Says what a model (folder or single file), a part of one, a LoRA, another file of tensors or a PNG picture holds.",
    )
    .argument(
      "[path]",
      "a folder as diffusers writes it, a safetensors or PyTorch file, a PNG file, or a hub's owner/name[@revision]",
    )
    .option("--model <folder>", "model that a LoRA is compared with (default: the model that comes with the package)")
    .option("--variant <name>", "form of the weights that is fetched of a hub's model, such as fp16")
    .option("--table1", "print the paper's Table 1, counted from the models' configurations")
    .option("--json", "print one JSON object on stdout")
    .addHelpText("after", more)
    .action(async (path: string | undefined, options: InspectOptions) => {
      if (options.table1 === true) {
        if (path !== undefined) throw new UsageError("--table1 takes no path; leave one of both out.");
        const { printTable } = await import("../paper-table.ts");
        printTable(options.json === true, context);
        return;
      }
      if (path === undefined) throw new UsageError("name a file or a folder to inspect, or give --table1.");
      const { describePath } = await import("../describe-path.ts");
      await describePath(path, options, context);
    });
};
