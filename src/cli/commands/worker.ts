import type { Command } from "commander";
import type { CliCommand, CliContext } from "../command.ts";
import type { WorkerOptions } from "../serve.ts";
import { wholeNumber } from "../values.ts";
import { addDrawingOptions } from "./serve-options.ts";

const more = `
A server with the same --redis takes the jobs; any number of workers on any machines draw them. A job whose worker is lost
is begun again by another. Models and LoRAs are found by their names, so give each worker the same ones.

Example:
  $ fourstep serve --redis redis://queue:6379
  $ fourstep worker --redis redis://queue:6379 --models /srv/models
`;

/** `fourstep worker`: draws the jobs of a queue that servers fill. */
export const workerCommand: CliCommand = (program: Command, context: CliContext) => {
  const command = program
    .command("worker")
    .summary("draw jobs that servers put into Redis")
    .description("Draws jobs that servers put into Redis.");
  addDrawingOptions(command)
    .option(
      "--lock-seconds <n>",
      "after so long without a sign of a worker another draws its job",
      wholeNumber(1, 3600),
      30,
    )
    .addHelpText("after", more)
    .action(async (options: WorkerOptions) => {
      const { work } = await import("../serve.ts");
      await work(options, context);
    });
};
