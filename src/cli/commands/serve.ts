import type { Command } from "commander";
import type { CliCommand, CliContext } from "../command.ts";
import type { ServeOptions } from "../serve.ts";
import { wholeNumber } from "../values.ts";
import { addDrawingOptions } from "./serve-options.ts";

const more = `
It speaks OpenAI's API for images (/v1), that of AUTOMATIC1111's web interface (/sdapi/v1) and one of its own for jobs
(/api); /openapi.json describes them all. Jobs outlive the server: they are kept in the folder of --data, and go on when it
is started again. With --redis they are drawn by "fourstep worker" on any number of machines.

Only programs of this machine reach it, unless --host names another address; then a key is asked for, which is read from
the environment, FOURSTEP_API_KEY. Ctrl-C, or SIGTERM, finishes what is being drawn and refuses the rest.

Examples:
  $ fourstep serve
  $ fourstep serve --models ~/models --loras ~/loras --port 8080
  $ FOURSTEP_API_KEY=... fourstep serve --host 0.0.0.0
`;

/** `fourstep serve`: draws for other programs over HTTP. */
export const serveCommand: CliCommand = (program: Command, context: CliContext) => {
  const command = program
    .command("serve")
    .summary("draw for other programs over HTTP")
    .description("Draws for other programs, and for a page in the browser, over HTTP.")
    .option("--host <address>", "where to listen", "127.0.0.1")
    .option("--port <n>", "where to listen; 0 takes a free one", wholeNumber(0, 65_535), 7860)
    .option("--open", "ask for no key, though other machines reach the server");
  addDrawingOptions(command)
    .option("--data <folder>", "where jobs and their pictures are kept (default: in the user's state folder)")
    .option("--queue <n>", "jobs that may wait", wholeNumber(1, 1_000_000), 100)
    .option("--max-side <n>", "pixels of a picture's longer side at most", wholeNumber(8, 16_384), 1024)
    .option("--max-steps <n>", "steps of a picture at most", wholeNumber(1, 1000), 100)
    .option("--max-count <n>", "pictures of a request at most", wholeNumber(1, 10_000), 16)
    .option("--max-body <n>", "megabytes of a request at most", wholeNumber(1, 1024), 20)
    .option("--wait-seconds <n>", "how long a client waits for its pictures", wholeNumber(1, 86_400), 600)
    .option("--keep <n>", "finished jobs that are kept, for a day at most", wholeNumber(0, 1_000_000), 1000)
    .option("--json", "print the server's address as one JSON object on stdout")
    .addHelpText("after", more)
    .action(async (options: ServeOptions) => {
      const { serve } = await import("../serve.ts");
      await serve(options, context);
    });
};
