import type { JobEvent } from "../jobs/job.ts";
import type { OptionWishes } from "../schemas/a1111.ts";

/** What A1111's clients see as the program's one state: its options, and what is drawn for them at the moment. */
export interface A1111Session {
  readonly options: OptionWishes;
  set(options: OptionWishes): void;
  /** Tells of a job that such a client waits for; the returned functions follow it and end it. */
  begin(pictures: number): Following;
  readonly current: Progress | undefined;
  /** How many jobs such clients wait for. */
  readonly jobs: number;
  /** Stops the current job; the others go on. */
  interrupt(): void;
}

export interface Following {
  /** Aborted by `interrupt`. */
  readonly signal: AbortSignal;
  onEvent(event: JobEvent): void;
  end(): void;
}

/** How far the current job has come. */
export interface Progress {
  readonly begun: number;
  readonly pictures: number;
  readonly picture: number;
  readonly step: number;
  readonly steps: number;
  /** A PNG. */
  readonly preview: Uint8Array | undefined;
}

export function a1111Session(now: () => number = Date.now): A1111Session {
  let options: OptionWishes = {
    sd_model_checkpoint: undefined,
    CLIP_stop_at_last_layers: undefined,
    live_previews_enable: undefined,
  };
  const followed = new Map<AbortController, Progress>();
  const first = (): [AbortController, Progress] | undefined =>
    [...followed].find(([, { steps }]) => steps > 0) ?? [...followed][0];
  return {
    get options() {
      return options;
    },
    set(changes) {
      const told = Object.entries(changes).filter(([, value]) => value !== undefined);
      options = { ...options, ...Object.fromEntries(told) };
    },
    begin(pictures) {
      const hand = new AbortController();
      followed.set(hand, { begun: now(), pictures, picture: 0, step: 0, steps: 0, preview: undefined });
      return {
        signal: hand.signal,
        onEvent(event) {
          const known = followed.get(hand);
          if (known === undefined || event.kind !== "step") return;
          const { picture, step, steps, preview = known.preview } = event;
          followed.set(hand, { ...known, picture, step, steps, preview });
        },
        end: () => void followed.delete(hand),
      };
    },
    get current() {
      return first()?.[1];
    },
    get jobs() {
      return followed.size;
    },
    interrupt() {
      first()?.[0].abort();
    },
  };
}
