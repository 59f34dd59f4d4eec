import type { Command } from "commander";
import type { CliCommand, CliContext } from "../command.ts";
import type { InspectOptions } from "../describe-path.ts";

const more = `
Examples:
  $ fourstep inspect models/fourstep-64
  $ fourstep inspect lcm-lora-sdv1-5.safetensors
  $ fourstep inspect style.safetensors --model models/fourstep-64
`;

/** `fourstep inspect FILE|DIR`: says what a model, a LoRA or a picture is. */
export const inspectCommand: CliCommand = (program: Command, context: CliContext) => {
  program
    .command("inspect")
    .summary("say what a model, a LoRA or a picture is")
    .description("Says what a model's folder, a LoRA, another safetensors file or a PNG picture holds.")
    .argument(
      "<path>",
      "a folder as diffusers writes it, a safetensors file, a PNG file, or a hub's owner/name[@revision]",
    )
    .option("--model <folder>", "model that a LoRA is compared with (default: the model that comes with the package)")
    .option("--json", "print one JSON object on stdout")
    .addHelpText("after", more)
    .action(async (path: string, options: InspectOptions) => {
      const { describePath } = await import("../describe-path.ts");
      await describePath(path, options, context);
    });
};
