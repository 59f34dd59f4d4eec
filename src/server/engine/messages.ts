import type { CrossingError } from "../../runtime/crossing-error.ts";
import type { SettledRequest } from "../schemas/draw-request.ts";

/** A job as the engine's process is told of it. */
export interface EngineJob {
  readonly id: string;
  readonly request: SettledRequest;
  /** The model's folder or file. */
  readonly modelPath: string;
  /** Folders that LoRAs are taken from, before the model's own. */
  readonly loraFolders: readonly string[];
}

/** What the engine's process is asked. */
export type EngineQuestion =
  | {
      readonly kind: "draw";
      readonly jobs: readonly EngineJob[];
      /** How many pictures one network call draws at most. */
      readonly batch: number;
    }
  | { readonly kind: "cancel"; readonly job: string };

/** A drawn picture. */
export interface EnginePicture {
  readonly number: number;
  readonly seed: number;
  readonly settings: string;
  readonly png: Uint8Array;
}

/** What the engine's process tells while it draws. */
export type EngineReport =
  | { readonly kind: "ready" }
  | {
      readonly kind: "step";
      readonly job: string;
      readonly picture: number;
      /** From 1. */
      readonly step: number;
      readonly steps: number;
      /** A PNG. */
      readonly preview?: Uint8Array;
    }
  | { readonly kind: "picture"; readonly job: string; readonly picture: EnginePicture }
  | {
      readonly kind: "settled";
      readonly job: string;
      readonly warnings: readonly string[];
      /** Unless all its pictures were drawn. */
      readonly error?: CrossingError;
    }
  | {
      /** Everything that was asked with one `draw` is settled. */
      readonly kind: "done";
      readonly seconds: number;
      readonly pictures: number;
      /** Whether networks were compiled or exchanged, so that the seconds say little of the next time. */
      readonly prepared: boolean;
    };
