import type { Command } from "commander";
import { collect, wholeNumber } from "../values.ts";

/** Adds what server and worker are told of models, LoRAs and batches. */
export function addDrawingOptions(command: Command): Command {
  return command
    .option("--model <path>", "what is drawn with unless a request names another (default: the model of the package)")
    .option("--models <folder>", "folder whose models requests may name; may be given more than once", collect)
    .option("--loras <folder>", "folder whose LoRAs requests may name; may be given more than once", collect)
    .option(
      "--batch <n>",
      "pictures of one network call at most, where that is measured to be faster",
      wholeNumber(1, 64),
      4,
    )
    .option("--job-seconds <n>", "how long one job may be drawn", wholeNumber(1, 86_400), 600)
    .option("--redis <url>", "queue in Redis, for many machines, e.g. redis://127.0.0.1:6379");
}
