import { infotextKeyword } from "../formats/infotext.ts";
import type { DrawingStep, DrawnPicture } from "../generate/drawing.ts";
import { toPixels } from "../generate/pixels.ts";
import { encodePng, pictureStem, writeNewPicture } from "../node/picture-files.ts";
import { showPicture, type TerminalPictures, terminalPictures } from "../node/terminal-picture.ts";
import { type CliContext, warn } from "./command.ts";
import { drawingProgress } from "./drawing-progress.ts";
import { packageVersion } from "./package-version.ts";
import { type Drawing, pictureSettings } from "./picture-settings.ts";

/** How pictures and results are given out. */
export interface ReportOptions {
  readonly count: number;
  /** Folder of the pictures. */
  readonly out: string;
  readonly json?: boolean;
  readonly preview: boolean;
}

/** Writes pictures as they come, and says what was done: for people line by line, for machines in one object at the end. */
export class DrawingReport {
  private readonly drawing: Drawing;
  private readonly options: ReportOptions;
  private readonly context: CliContext;
  private readonly terminal: TerminalPictures;
  private readonly warnings: string[] = [];
  private readonly images: { readonly path: string; readonly seed: number; readonly networkCalls: number }[] = [];

  constructor(drawing: Drawing, options: ReportOptions, context: CliContext) {
    this.drawing = drawing;
    this.options = options;
    this.context = context;
    const shows = options.preview && options.json !== true;
    this.terminal = shows ? terminalPictures(context.stdout, context.env) : { kind: "none" };
  }

  warn(sentence: string): void {
    this.warnings.push(sentence);
    warn(this.context, sentence);
  }

  /** Draws all pictures; those that are done stay when it fails or is stopped. */
  async follow(events: AsyncIterable<DrawingStep | DrawnPicture>): Promise<void> {
    const { count } = this.options;
    const { stderr, signal } = this.context;
    const progress = drawingProgress(stderr, count * this.drawing.steps);
    try {
      for await (const event of events) {
        if (event.kind === "step") progress.step();
        else {
          progress.hide();
          await this.keep(event);
        }
      }
    } finally {
      progress.hide();
      if (signal.aborted) stderr.write(`fourstep: ${this.images.length} of ${count} pictures were drawn.\n`);
    }
  }

  /** Says what was done. */
  finish(seconds: number): void {
    const { json } = this.options;
    const { stdout, stderr } = this.context;
    const { prompt, negativePrompt, modelName, loras, sampler, steps, guidanceScale, size } = this.drawing;
    const networkCalls = this.images.reduce((sum, image) => sum + image.networkCalls, 0);
    if (json === true) {
      const result = {
        images: this.images,
        model: modelName,
        loras,
        prompt,
        negativePrompt,
        sampler,
        steps,
        guidance: guidanceScale,
        ...size,
        networkCalls,
        seconds,
        warnings: this.warnings,
      };
      stdout.write(`${JSON.stringify(result)}\n`);
      return;
    }
    const called = `${networkCalls} network ${networkCalls === 1 ? "call" : "calls"}`;
    stderr.write(`${sampler}, ${steps} steps, guidance ${guidanceScale}: ${called} in ${seconds.toFixed(1)} s\n`);
  }

  /** Writes one picture. */
  private async keep({ seed, pixels, networkCalls }: DrawnPicture): Promise<void> {
    const { out, json } = this.options;
    const bytes = toPixels(pixels);
    const settings = pictureSettings(this.drawing, seed, packageVersion());
    const png = await encodePng(bytes, { [infotextKeyword]: settings });
    const path = await writeNewPicture(out, pictureStem(this.drawing.prompt, seed), png);
    this.images.push({ path, seed, networkCalls });
    if (json === true) return;
    const { stdout } = this.context;
    stdout.write(await showPicture(bytes, png, this.terminal));
    stdout.write(`${path}  seed ${seed}\n`);
  }
}
