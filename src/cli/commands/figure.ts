import { type Command, Option } from "commander";
import { devices } from "../../runtime/runtime.ts";
import type { CliCommand, CliContext } from "../command.ts";
import type { FigureOptions } from "../figure.ts";
import { collect, numberWithin, wholeNumber } from "../values.ts";

const more = `
Figures of the paper:
  1         models (rows) by prompts, with the LCM-LoRA in 4 steps; a single model stands with each of its styles, too
  2         the acceleration and a style as vectors: lengths and angle to scale, pictures at the four corners
  3         styles by steps: DPM-Solver++ with guidance above LCM-LoRA with the style, lambda 0.8 and 1.0

Further sheets:
  lambda    weight of each style against that of the LCM-LoRA
  guidance  LCM-LoRA and DDIM by guidance
  steps     samplers by steps
  loras     LCM-LoRAs, given by --lora, by prompts: of several ranks, or after several hours of training

Each is written as SVG and PNG, figure 2 once for each style.

Examples:
  $ fourstep figure 3 --out figures
  $ fourstep figure 1 --model sd15 --model dreamshaper --lora lcm-lora-sdv1-5.safetensors --prompt "a fox" --prompt "an owl"
  $ fourstep figure loras --lora rank-8.safetensors --lora rank-64.safetensors
`;

/** `fourstep figure NAME`: draws a figure of the paper. */
export const figureCommand: CliCommand = (program: Command, context: CliContext) => {
  program
    .command("figure")
    .summary("draw a figure of the paper, or a sheet")
    .description("Draws a figure of the paper, or a sheet, as SVG and PNG.")
    .argument("<name>", "1, 2, 3, lambda, guidance, steps or loras")
    .option("--model <path|id>", "model to draw with; figure 1 takes several (default: the package's own)", collect)
    .option("--variant <name>", "form of the weights that is fetched of a hub's model, such as fp16")
    .option("--lora <file[:weight]>", "the LCM-LoRA (default: the model's own); several for the sheet loras", collect)
    .option("--style <file[:weight]>", "a style; may be given more than once (default: the model's own)", collect)
    .option("--lora-dir <folder>", "where LoRAs are found by name; may be given more than once", collect)
    .option("--prompt <text>", "what the pictures show; may be given more than once", collect)
    .option("--guidance <g>", "of solvers (default: 4)", numberWithin(0, 100))
    .option("--seed <n>", "of the first prompt; each further one's is one higher", wholeNumber(0, 1e9), 0)
    .option("--shown <pixels>", "side of a picture on the page", wholeNumber(16, 2048), 96)
    .addOption(new Option("--device <name>", "where the networks run").choices(devices).default("cpu"))
    .option("--out <folder>", "where to write", ".")
    .option("--json", "print one JSON object on stdout")
    .addHelpText("after", more)
    .action(async (name: string, options: FigureOptions) => {
      const { figure } = await import("../figure.ts");
      await figure(name, options, context);
    });
};
