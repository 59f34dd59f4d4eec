import type { Choice } from "../training/choice.ts";
import type { LogEntry } from "../training/log.ts";
import type { TrainingPlan } from "../training/loop.ts";
import { group, progressLine } from "../training/progress.ts";
import type { TextStream } from "./command.ts";

/** Letters of the bar. */
const barWidth = 24;
/** Entries that the line of progress looks back at. */
const keptEntries = 200;
/** Between two drawings of the line on a terminal, and between two lines in a file. */
const terminalPauseMs = 100;
const filePauseMs = 30_000;
const clearLine = "\r\u001b[2K";

/** Shows on a stream how a run goes: one line that changes on a terminal, a line now and then elsewhere. */
export class TrainingDisplay {
  private readonly stream: TextStream;
  private readonly now: () => number;
  private readonly entries: LogEntry[] = [];
  private shownAt = Number.NEGATIVE_INFINITY;
  /** The line that stands on the terminal. */
  private line = "";

  constructor(stream: TextStream, now: () => number) {
    this.stream = stream;
    this.now = now;
  }

  /** A sentence that stays. */
  notice(sentence: string): void {
    const line = this.line;
    this.hide();
    this.stream.write(`${sentence}\n`);
    if (line !== "") this.draw(line);
  }

  /** How far a preparation is; on a terminal only. */
  preparing(what: string, done: number, total: number): void {
    if (this.stream.isTTY !== true) return;
    if (done === total) this.hide();
    else if (this.isDue(terminalPauseMs)) this.draw(`${what} ${group(done)}/${group(total)}`);
  }

  /** A step is done. */
  step(entry: LogEntry, { steps }: TrainingPlan, choice: Choice): void {
    this.entries.push(entry);
    if (this.entries.length > keptEntries) this.entries.shift();
    const last = entry.step === steps;
    const options = { steps, barWidth, choice };
    if (this.stream.isTTY === true) {
      if (last || this.isDue(terminalPauseMs)) this.draw(progressLine(this.entries, options));
    } else if (last || this.isDue(filePauseMs)) {
      this.stream.write(`${progressLine(this.entries, options)}\n`);
    }
  }

  /** Leaves the line of progress where it is and goes on below it. */
  end(): void {
    if (this.line !== "") this.stream.write("\n");
    this.line = "";
  }

  private hide(): void {
    if (this.line !== "") this.stream.write(clearLine);
    this.line = "";
  }

  private draw(line: string): void {
    // A line that wraps cannot be taken back.
    this.line = line.slice(0, Math.max(20, (this.stream.columns ?? 120) - 1));
    this.stream.write(clearLine + this.line);
  }

  private isDue(pauseMs: number): boolean {
    const now = this.now();
    if (now - this.shownAt < pauseMs) return false;
    this.shownAt = now;
    return true;
  }
}
