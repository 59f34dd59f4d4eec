import { type Command, Option } from "commander";
import { devices } from "../../runtime/runtime.ts";
import type { CliCommand, CliContext } from "../command.ts";
import type { EvaluateOptions } from "../evaluate-model.ts";
import { collect, numberWithin, wholeNumber } from "../values.ts";

const more = `
Rows are, unless --row says otherwise, DDIM in 32 steps, DPM-Solver in 16 and DPM-Solver++ in 8, each with guidance, and the
LCM-LoRA in 4, 1, 2 and 8 steps. All draw the same captions from the same seeds, and take turns, so that times compare.

Captions are those of the pictures that the set holds out ("split": "heldout" in its metadata), or of a tenth that follows
from --seed; real pictures for the statistics are all of the set. --split gives another choice: a file like the split.json
that lies in each --out.

Networks that measure come from files: Inception v3 (pt_inception-2015-12-05), EfficientNet-Lite0, and SqueezeNet, AlexNet or
VGG-16 of torchvision; LPIPS needs one of the last three and its heads. --measures takes a folder with any of them. Without
any, features are the shipped model's own latents and LPIPS is left out. docs/evaluation.md tells more.

With --out, all is kept there until it is done: what was stopped or killed goes on with --resume, with the next picture.
Several processes share the drawing by --shard 1/3, 2/3 and 3/3 in one folder; the last one to end measures.

Examples:
  $ fourstep evaluate --quick
  $ fourstep evaluate --data runs/pictures/base --measures measures --out evaluation
  $ fourstep evaluate --model sd15 --lora lcm-lora-sdv1-5.safetensors --data photos --clip openai/clip-vit-base-patch32
  $ fourstep evaluate --row ddim:50:7.5 --row lcm:4 --row lcm:8 --markdown
`;

/** Reads `NUMBER/OF`. */
function shard(text: string): { readonly number: number; readonly of: number } {
  const [, number = "", of = ""] = /^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? [];
  const count = wholeNumber(1, 1000)(of);
  return { number: wholeNumber(1, count)(number), of: count };
}

/** `fourstep evaluate`: compares samplers on a model. */
export const evaluateCommand: CliCommand = (program: Command, context: CliContext) => {
  program
    .command("evaluate")
    .summary("compare samplers by quality and time")
    .description("Compares an LCM-LoRA in few steps with solvers in many, by quality and time.")
    .option("--model <path|id>", "model to draw with (default: the model that comes with the package)")
    .option("--variant <name>", "form of the weights that is fetched of a hub's model, such as fp16")
    .option("--lora <file[:weight]>", "the LCM-LoRA (default: the model's own)")
    .option("--style <file[:weight]>", "further LoRA for all rows; may be given more than once", collect)
    .option("--lora-dir <folder>", "where LoRAs are found by name; may be given more than once", collect)
    .option("--data <path>", "pictures with captions (default: those that npm run model:pictures draws)")
    .option("--split <file>", "which pictures lend captions and which are the real ones")
    .option("--row <sampler:steps[:guidance]>", "a row; may be given more than once", collect)
    .option("--guidance <g>", "of rows that are not accelerated (default: 4)", numberWithin(0, 100))
    .option("--captions <n>", "how many captions (default: all of the split)", wholeNumber(1, 1_000_000))
    .option("--per-caption <n>", "pictures of each caption (default: 4)", wholeNumber(1, 1000))
    .option("--real <n>", "how many real pictures (default: all of the split)", wholeNumber(1, 10_000_000))
    .option(
      "--seed <n>",
      "of the first picture; the split and the intervals follow from it, too",
      wholeNumber(0, 1e9),
      0,
    )
    .option("--features <file|id>", "network that makes features; may be given more than once", collect)
    .addOption(
      new Option("--resizing <name>", "how pictures are brought to Inception's size").choices([
        "torch-fidelity",
        "clean-fid",
        "pytorch-fid",
      ]),
    )
    .option("--measures <folder>", "folder with networks that measure; may be given more than once", collect)
    .option("--real-features <file>", "features of the real pictures that were made before")
    .option("--clip <folder|id>", "CLIP with both towers, for a CLIP score in place of caption retrieval")
    .option(
      "--candidates <n>",
      "captions to choose from in retrieval (default: 16); 0 leaves it out",
      wholeNumber(0, 1000),
    )
    .option("--resamples <n>", "of the intervals (default: 200)", wholeNumber(2, 100_000))
    .option("--quick", "a rough answer in a minute: few captions, one picture of each", false)
    .addOption(new Option("--device <name>", "where the networks run").choices(devices).default("cpu"))
    .option("--out <folder>", "folder for state, table and report (default: evaluation; with --quick nothing is kept)")
    .option("--resume", "go on with the evaluation in the folder", false)
    .option("--keep", "keep the pictures when all is done", false)
    .option("--shard <n/of>", "draw this share of the pictures", shard)
    .addOption(new Option("--json", "print one JSON object on stdout").conflicts(["csv", "markdown"]))
    .addOption(new Option("--csv", "print the table as CSV").conflicts(["markdown"]))
    .option("--markdown", "print the table as Markdown")
    .addHelpText("after", more)
    .action(async (options: EvaluateOptions) => {
      const { evaluateModel } = await import("../evaluate-model.ts");
      await evaluateModel(options, context);
    });
};
