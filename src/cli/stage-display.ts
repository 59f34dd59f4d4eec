import { duration, progressBar } from "../training/progress.ts";
import type { TextStream } from "./command.ts";

const barWidth = 24;
const clearLine = "\r\u001b[2K";
/** Between two drawings of the line on a terminal, and between two lines in a file. */
const terminalPauseMs = 100;
const filePauseMs = 30_000;

/** Shows how far one stage after the other is: a line that changes on a terminal, a line now and then elsewhere. */
export class StageDisplay {
  private readonly stream: TextStream;
  private stage = "";
  private begun = 0;
  private doneAtBegin = 0;
  private shownAt = Number.NEGATIVE_INFINITY;
  private lineStands = false;

  constructor(stream: TextStream) {
    this.stream = stream;
  }

  show(what: string, done: number, total: number): void {
    const now = performance.now();
    const fresh = what !== this.stage;
    if (fresh) [this.stage, this.begun, this.doneAtBegin] = [what, now, done];
    const terminal = this.stream.isTTY === true;
    if (!fresh && now - this.shownAt < (terminal ? terminalPauseMs : filePauseMs)) return;
    this.shownAt = now;
    const since = done - this.doneAtBegin;
    const left = since > 0 ? `  ${duration(((now - this.begun) / since) * (total - done))} left` : "";
    const line = `${what} ${progressBar(total === 0 ? 1 : done / total, barWidth)} ${done}/${total}${left}`;
    this.stream.write(
      terminal ? clearLine + line.slice(0, Math.max(20, (this.stream.columns ?? 120) - 1)) : `${line}\n`,
    );
    this.lineStands = terminal;
  }

  /** Takes the line away. */
  end(): void {
    if (this.lineStands) this.stream.write(clearLine);
    this.lineStands = false;
  }
}
