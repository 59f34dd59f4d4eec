import { infotextKeyword } from "../formats/infotext.ts";
import type { DrawingStep, DrawnPicture } from "../generate/drawing.ts";
import { toPixels } from "../generate/pixels.ts";
import { type Drawing, pictureSettings } from "../node/draw/picture-settings.ts";
import { packageVersion } from "../node/package-version.ts";
import { encodePng, pictureStem, writeNewPicture } from "../node/picture-files.ts";
import { showPicture, type TerminalPictures, terminalPictures } from "../node/terminal-picture.ts";
import type { Sampler } from "../samplers/sampler.ts";
import { type CliContext, warn } from "./command.ts";
import { type DrawingProgress, drawingProgress } from "./drawing-progress.ts";
import { type StepPreview, stepPreview } from "./step-preview.ts";

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
  /** Whether anybody sees the steps. */
  readonly showsSteps: boolean;
  private readonly drawing: Drawing;
  private readonly sampler: Sampler;
  private readonly options: ReportOptions;
  private readonly context: CliContext;
  private readonly terminal: TerminalPictures;
  private readonly stepPreview: StepPreview;
  private readonly warnings: string[] = [];
  private readonly notes: string[] = [];
  /** Of the picture that took most. */
  private stepsTaken = 0;
  private readonly images: { readonly path: string; readonly seed: number; readonly networkCalls: number }[] = [];

  constructor(drawing: Drawing, sampler: Sampler, options: ReportOptions, context: CliContext) {
    this.drawing = drawing;
    this.sampler = sampler;
    this.options = options;
    this.context = context;
    const shows = options.preview && options.json !== true;
    this.terminal = shows ? terminalPictures(context.stdout, context.env) : { kind: "none" };
    this.showsSteps = this.terminal.kind === "blocks";
    this.stepPreview = stepPreview(context.stdout, this.terminal);
  }

  warn(sentence: string): void {
    this.warnings.push(sentence);
    warn(this.context, sentence);
  }

  /** Says what was chosen because of what was given. */
  note(sentence: string): void {
    this.notes.push(sentence);
    if (this.options.json !== true) this.context.stderr.write(`${sentence}\n`);
  }

  /** Draws all pictures; those that are done stay when it fails or is stopped. */
  async follow(events: AsyncIterable<DrawingStep | DrawnPicture>): Promise<void> {
    const { count } = this.options;
    const { stderr, signal } = this.context;
    const progress = drawingProgress(stderr, count * this.sampler.timesteps.length);
    try {
      for await (const event of events) {
        if (event.kind === "step") {
          await this.showStep(event, progress);
        } else {
          progress.hide();
          this.stepPreview.clear();
          await this.keep(event);
        }
      }
    } finally {
      progress.hide();
      if (signal.aborted) stderr.write(`fourstep: ${this.images.length} of ${count} pictures were drawn.\n`);
    }
  }

  private async showStep({ preview, index }: DrawingStep, progress: DrawingProgress): Promise<void> {
    this.stepsTaken = Math.max(this.stepsTaken, index + 1);
    if (preview !== undefined) {
      progress.hide();
      await this.stepPreview.show(preview);
    }
    progress.step();
  }

  /** Says what was done. */
  finish(seconds: number): void {
    const { json } = this.options;
    const { stdout, stderr } = this.context;
    const { prompt, negativePrompt, modelName, vae, loras, sampler, guidanceScale, size } = this.drawing;
    // An adaptive sampler finds its steps as it goes.
    const steps = this.sampler.adaptive === true ? this.stepsTaken : this.drawing.steps;
    const networkCalls = this.images.reduce((sum, image) => sum + image.networkCalls, 0);
    if (json === true) {
      const result = {
        images: this.images,
        model: modelName,
        ...(vae === undefined ? {} : { vae }),
        loras,
        prompt,
        negativePrompt,
        sampler,
        steps,
        guidance: guidanceScale,
        ...size,
        ...startOf(this.drawing, this.sampler),
        networkCalls,
        seconds,
        notes: this.notes,
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

/** What the result says of the picture that drawing began with: what was made of the strength, too. */
function startOf({ start }: Drawing, { timesteps }: Sampler): Readonly<Record<string, unknown>> {
  if (start === undefined) return {};
  const { init, mask, strength, rule, repaint } = start;
  return {
    init,
    ...(repaint === undefined ? {} : { mask, maskBlur: repaint.blur }),
    strength,
    strengthSteps: rule,
    timesteps,
  };
}
