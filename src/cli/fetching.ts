import { Presets, SingleBar } from "cli-progress";
import type { HubOptions, HubProgress } from "../node/hub/snapshot.ts";
import { type CliContext, warn } from "./command.ts";

/** How a command fetches from a hub: with a bar on a terminal, elsewhere one line for each repository. */
export function fetchOptions(context: CliContext): HubOptions {
  const { env, signal, stderr } = context;
  const bar = stderr.isTTY === true ? progressBar(stderr as NodeJS.WritableStream) : undefined;
  let named = "";
  const onProgress = ({ repo, file, received, total }: HubProgress): void => {
    if (bar === undefined) {
      if (repo !== named) stderr.write(`fetching ${repo}: ${megabytes(total)} MB\n`);
      named = repo;
      return;
    }
    const payload = { repo, file, done: megabytes(received), whole: megabytes(total) };
    if (bar.isActive) bar.update(received, payload);
    else bar.start(total, received, payload);
    if (received >= total) bar.stop();
  };
  return { env, signal, onProgress, onWarning: (sentence) => warn(context, sentence) };
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

function progressBar(stream: NodeJS.WritableStream): SingleBar {
  const format = "{repo} {bar} {done} of {whole} MB, {eta_formatted} left, {file}";
  return new SingleBar({ stream, format, clearOnComplete: true, hideCursor: true }, Presets.shades_classic);
}
