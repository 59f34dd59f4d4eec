import { type Command, Option } from "commander";
import { UsageError } from "../../errors.ts";
import { promptSyntaxes } from "../../generate/prompt/syntax.ts";
import { samplerNames } from "../../samplers/names.ts";
import type { CliCommand, CliContext } from "../command.ts";
import type { GenerateOptions } from "../draw-pictures.ts";
import { addSingleFileOptions } from "../single-file-wishes.ts";
import { collect, numberWithin, pictureSize, samplerChoice, wholeNumber } from "../values.ts";
import { addPictureOptions } from "./picture-options.ts";

const largestSeed = Number.MAX_SAFE_INTEGER;

const more = `
By default the model that comes with the package draws in 4 steps with its LCM-LoRA, which also stays when other LoRAs
are added. Another sampler than lcm, or --no-lcm, leaves it out and draws in 32 steps with a guidance of 4. A model of
your own uses the LCM-LoRA that you give, or that lies in its folder as lora/lcm-lora.safetensors; a LoRA counts as
LCM-LoRA when its name says lcm. TCD, Hyper-SD and SDXL-Lightning LoRAs are known by their names, too.

LoRAs may be given with blocks (any part of their path) and with weights that change with the steps; <lora:name:0.8> in the
prompt does the same. docs/vectors.md tells more.

With --init a picture is drawn anew, and with --mask a part of it. All --steps are drawn, whatever the --strength: they
are spread over the noise that it leaves, from 4 steps at 0.6 on the timesteps 599, 459, 299 and 159 with lcm.

Samplers: ${samplerNames.slice(0, 10).join(", ")},
${samplerNames.slice(10).join(", ")}.
Other programs' names work too, such as "DPM++ 2M Karras" or "Euler a". dpm-solver-12 and -23 find their steps themselves.

Pictures are named after prompt and seed; none is overwritten. Each holds its settings as image programs write them.

Examples:
  $ fourstep generate "a red apple"
  $ fourstep generate "a red apple" --count 4 --seed 7 --out pictures
  $ fourstep generate "a red apple" --lora style.safetensors:0.8
  $ fourstep generate "a red apple <lora:style:0.8>" --lora-dir loras
  $ fourstep generate "a red apple" --lora style.safetensors:0.8:down=0,mid=0.5,resnets=0
  $ fourstep generate "a red apple" --lora style.safetensors:0.8@0-50%
  $ fourstep generate --like a-red-apple-7.png --count 4
  $ fourstep generate "a red apple" --sampler ddim --steps 32 --guidance 4 --negative "a leaf"
  $ fourstep generate "a green pear" --init apple.png --strength 0.7
  $ fourstep generate "a hat" --init cat.png --mask above-the-cat.png
`;

/** `fourstep generate PROMPT`: draws pictures and writes them as PNG files. */
export const generateCommand: CliCommand = (program: Command, context: CliContext) => {
  const command = program
    .command("generate")
    .summary("draw pictures from a prompt")
    .description("Draws pictures from a prompt and writes them as PNG files.")
    .argument("[prompt...]", "what the pictures show; the quotes may be left out")
    .option(
      "--model <path|id>",
      "folder as diffusers writes it, file in the original names, or a hub's owner/name[@revision] (default: the model that comes with the package)",
    )
    .option("--variant <name>", "form of the weights that is fetched of a hub's model, such as fp16")
    .option(
      "--lora <file[:weight[:blocks]]>",
      "LoRA to add: a file, a name or a hub's owner/name, weight 1 unless told; may be given more than once",
      collect,
    )
    .option(
      "--lora-dir <folder>",
      "where LoRAs are found by name, as in <lora:name:0.8> of a prompt; may be given more than once",
      collect,
    )
    .option("--embedding <file[:word]>", "word of textual inversion to add; may be given more than once", collect)
    .option("--lcm", "use the model's LCM-LoRA with any sampler")
    .option("--no-lcm", "leave the model's LCM-LoRA out")
    .option("--sampler <name>", "how to sample (default: lcm, without LCM-LoRA the model's own or ddim)", samplerChoice)
    .option("--steps <n>", "steps (default: 4, without LCM-LoRA 32)", wholeNumber(1, 1000))
    .option("--guidance <g>", "guidance scale; 1 is off (default: 1, without LCM-LoRA 4)", numberWithin(0, 100))
    .option("--negative <prompt>", "what the pictures do not show; needs a guidance above 1")
    .addOption(
      new Option("--prompt-syntax <name>", "a1111: (word:1.3); compel: word++, (two words)1.3; plain: no weights")
        .choices(promptSyntaxes)
        .default("a1111"),
    )
    .option("--clip-skip <n>", "leave the text encoder at the n-th layer from its end", wholeNumber(1, 64), 1)
    .option(
      "--seed <n>",
      "of the first picture; each further one's is one higher (default: random)",
      wholeNumber(0, largestSeed),
    )
    .option("--size <WxH>", "in pixels (default: as the model was trained)", pictureSize)
    .option("--count <n>", "how many pictures", wholeNumber(1, 10000), 1)
    .option("--like <picture>", "draw as a PNG says that it was drawn, but for what is given here");
  addSingleFileOptions(addPictureOptions(command))
    .option("--out <folder>", "where to write them", ".")
    .option("--json", "print one JSON object on stdout")
    .option("--no-preview", "do not show the pictures in the terminal")
    .addHelpText("after", more)
    .action(async (words: readonly string[], options: GenerateOptions) => {
      const { like } = options;
      const prompt = words.join(" ");
      if (words.length === 0 && like === undefined) throw new UsageError("missing required argument 'prompt'");
      const { drawPictures } = await import("../draw-pictures.ts");
      if (like === undefined) return drawPictures(prompt, options, context);
      const { restoredOptions } = await import("../restored-options.ts");
      const given = (name: string): boolean => command.getOptionValueSource(name) === "cli";
      const [restored, wishes] = await restoredOptions(like, prompt, options, given, context);
      await drawPictures(restored, wishes, context);
    });
};
