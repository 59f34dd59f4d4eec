import { readFile } from "node:fs/promises";
import { UsageError } from "../errors.ts";
import { parseJsonObject } from "../formats/json.ts";
import { allocatorIsUnset, endWithStandIn, restartWithAllocator } from "../node/allocator.ts";
import type { RunOutcome } from "../node/jobs/run-training.ts";
import { keptOf } from "../training/choice.ts";
import { parseTrainingConfig, parseTrainingKind, type TrainingKind } from "../training/config/parse.ts";
import { encodeLogEntry } from "../training/log.ts";
import type { CliContext } from "./command.ts";
import { TrainingDisplay } from "./training-display.ts";

/** What `fourstep train` was told. */
export interface TrainOptions {
  readonly config: string;
  readonly resume: boolean;
  readonly json: boolean;
}

/**
 * Trains what a config file describes, and says what was written.
 * @throws FourstepError when something that was given cannot be used, or the numbers go wrong
 * @throws DOMException `AbortError` when the user stops it; all done until then is saved
 */
export async function trainModel(word: string, options: TrainOptions, context: CliContext): Promise<void> {
  const { stdout, stderr, signal } = context;
  const kind = parseTrainingKind(word);
  const config = parseTrainingConfig(kind, await readConfig(options.config), options.config);
  // A caller that looks at the output, such as a test, has no other process to look at.
  const isOwnProcess = stdout === process.stdout;
  if (isOwnProcess && allocatorIsUnset()) process.exit(await restartWithAllocator());
  if (isOwnProcess) endWithStandIn();

  const { runTraining } = await import("../node/jobs/run-training.ts");
  const display = new TrainingDisplay(stderr, () => performance.now());
  let outcome: RunOutcome | undefined;
  try {
    outcome = await runTraining(kind, config, {
      resume: options.resume,
      signal,
      onNotice: (sentence) => display.notice(sentence),
      onProgress: (what, done, total) => display.preparing(what, done, total),
      onStep: (entry, plan, choice) => {
        // The line of the last step says what the run kept.
        const kept = entry.step === plan.steps ? keptOf(choice) : undefined;
        if (options.json) stdout.write(encodeLogEntry(entry, kept));
        display.step(entry, plan, choice);
      },
    });
  } finally {
    display.end();
    if (signal.aborted && outcome?.stopped !== false)
      stderr.write(`what was done is saved; go on with: ${resumeCommand(kind, options)}\n`);
  }
  if (outcome.kept !== undefined) stderr.write(`${outcome.kept.reason}\n`);
  stderr.write(`report: ${outcome.report}\n`);
  const results = options.json ? stderr : stdout;
  for (const file of outcome.files) results.write(`${file}\n`);
  if (outcome.stopped) signal.throwIfAborted();
}

async function readConfig(path: string): Promise<ReturnType<typeof parseJsonObject>> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new UsageError(`${path}: the config cannot be read (${(cause as Error).message})`, { cause });
  }
  return parseJsonObject(text, path);
}

/** The words that go on with a run, to be typed or pasted. */
function resumeCommand(kind: TrainingKind, { config, json }: TrainOptions): string {
  const quoted = /^[\w./@%+=:,-]+$/.test(config) ? config : `'${config.replaceAll("'", "'\\''")}'`;
  return `fourstep train ${kind} --config ${quoted} --resume${json ? " --json" : ""}`;
}
