/** A LoRA by its name, and how strongly it is applied: 1 as it was trained, 0 not at all. */
export interface ChosenLora {
  readonly name: string;
  readonly weight: number;
}

/** What is to be drawn: one picture. What is left out suits the model. */
export interface DrawRequest {
  readonly prompt: string;
  readonly negative: string;
  /** A name of {@link Offers.models}; the usual one where it is left out. */
  readonly model?: string;
  readonly loras: readonly ChosenLora[];
  /** False leaves the model's own LCM-LoRA out. Otherwise it is there with weight 1, or with that which `loras` gives it. */
  readonly lcm?: boolean;
  /** A name of {@link Offers.samplers}. */
  readonly sampler?: string;
  /** From 1. */
  readonly steps?: number;
  /** From 0; 1 is without guidance. */
  readonly guidance?: number;
  readonly seed: number;
  /** Pixels. */
  readonly size?: { readonly width: number; readonly height: number };
  /** A picture to begin with, PNG, JPEG or WebP of any size. */
  readonly init?: Blob;
  /** How much of `init` is drawn anew, in (0, 1]; `steps` are kept whatever it is. */
  readonly strength?: number;
  /** Whether steps come with a view of the picture so far. */
  readonly previews: boolean;
}

/** What is told while a picture is drawn, in this order: `waiting` any number of times, steps, the picture. */
export type DrawEvent =
  /** Taken, not begun. */
  | { readonly kind: "waiting" }
  | {
      readonly kind: "step";
      /** From 1 to `steps`. */
      readonly step: number;
      readonly steps: number;
      /** The picture so far, of any size. */
      readonly preview?: Blob | ImageData;
    }
  | {
      readonly kind: "picture";
      /** Holds its settings as text under `parameters`, as image programs write them. */
      readonly png: Blob;
      readonly seed: number;
      /** The same text. */
      readonly settings: string;
    }
  /** Words for the user that hinder nothing, such as a word that the model does not know. */
  | { readonly kind: "warnings"; readonly warnings: readonly string[] };

/** What a drawer can draw with. */
export interface Offers {
  readonly models: readonly { readonly name: string; readonly usual: boolean }[];
  /** Those that fit the model that was asked for. */
  readonly loras: readonly { readonly name: string }[];
  readonly samplers: readonly { readonly name: string; readonly title: string }[];
  /** The most that one request may ask for. */
  readonly limits: { readonly side: number; readonly steps: number };
}

/** What draws: a server, or the page itself. */
export interface Drawer {
  /**
   * Asked now and then, so that the page knows before the user draws.
   * @throws DrawFault when a drawing could not begin now
   */
  ready(signal: AbortSignal): Promise<void>;
  /**
   * What there is for a model, the usual one unless it is named.
   * @throws DrawFault when it cannot be told
   */
  offers(model: string | undefined, signal: AbortSignal): Promise<Offers>;
  /**
   * Draws one picture and tells of it. Aborting the signal, or leaving the loop, ends the work; then nothing more is told and
   * the iteration throws the signal's reason.
   * @throws DrawFault when it is not drawn
   */
  draw(request: DrawRequest, signal: AbortSignal): AsyncIterable<DrawEvent>;
}

/**
 * Why a picture does not come: the request cannot be drawn (`invalid`), too many wait (`busy`), nothing answers (`gone`), a key is
 * asked for (`key`), or the work broke down (`failed`). `busy` and `gone` are worth another try.
 */
export type DrawFaultKind = "invalid" | "busy" | "gone" | "key" | "failed";

/** A drawing that did not come about; the message is one sentence for the user. */
export class DrawFault extends Error {
  override readonly name: string = "DrawFault";
  readonly kind: DrawFaultKind;
  /** When another try makes sense, for `busy`. */
  readonly retryAfterSeconds: number | undefined;

  constructor(kind: DrawFaultKind, message: string, retryAfterSeconds?: number) {
    super(message);
    this.kind = kind;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
