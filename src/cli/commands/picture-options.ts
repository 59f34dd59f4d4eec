import { type Command, Option } from "commander";
import { precisions } from "../../generate/precision.ts";
import { strengthRules } from "../../generate/strength-rule.ts";
import { pictureFits } from "../../node/picture-fit.ts";
import { devices } from "../../runtime/runtime.ts";
import { numberWithin, wholeNumber } from "../values.ts";

/** Adds what drawing can begin with, and what pictures go through at its end. */
export function addPictureOptions(command: Command): Command {
  return command
    .option("--init <picture>", "begin with a picture, which then decides on the size unless --size is given")
    .option("--strength <x>", "how much of it is changed, to 1 (default: 0.6, with a mask 1)", numberWithin(0, 1))
    .addOption(
      new Option(
        "--strength-steps <rule>",
        "keep: draw in all --steps whatever the strength (default); cut: in that share of them, as diffusers does",
      ).choices(strengthRules),
    )
    .option("--mask <picture>", "repaint what is white in this picture and keep the rest of --init")
    .option("--mask-blur <pixels>", "softness of the seam (default: 1/128 of the shorter side)", numberWithin(0, 1000))
    .addOption(
      new Option("--fit <how>", "bring --init and --mask to the size: crop (default), stretch, or fill").choices(
        pictureFits,
      ),
    )
    .option(
      "--batch <n>",
      "how many pictures one network call draws; they do not depend on it",
      wholeNumber(1, 1024),
      1,
    )
    .option("--vae <file|folder|id>", "another autoencoder, such as TAESD, or a hub's owner/name")
    .option("--preview-vae <file|folder|id>", "autoencoder for the previews in the terminal, such as TAESD")
    .option(
      "--vae-tiling [pixels]",
      "decode in tiles of that side, 64 latents unless told (default: for pictures above 1024x1024)",
      wholeNumber(1, 65536),
    )
    .option("--no-vae-tiling", "always decode whole")
    .addOption(new Option("--device <name>", "where the networks run").choices(devices).default("cpu"))
    .addOption(
      new Option("--vae-precision <type>", "float16 falls back to float32 where it is too small").choices(precisions),
    );
}
