/**
 * What went wrong, as a kind that programs can tell apart and a sentence that people can act on.
 *
 * Each kind states what was expected, where, and what was received; the facts are fields, so that nobody parses text.
 */
export abstract class FourstepError extends Error {
  /** Where in a model the error arose, outermost first, e.g. `["down_blocks.0", "resnets.1"]`. */
  readonly place: string[] = [];
  private readonly sentence: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.sentence = message;
  }

  /** Adds an outer place and rewrites the message; called by `within` while the error passes outwards. */
  addPlace(outer: string): void {
    this.place.unshift(outer);
    this.message = `${this.place.join(".")}: ${this.sentence}`;
  }
}

/** Shapes or element types that do not fit an operation; raised while a graph is built. */
export class ShapeError extends FourstepError {
  override readonly name = "ShapeError";
  readonly operation: string;
  readonly shapes: readonly (readonly number[])[];

  constructor(operation: string, expected: string, shapes: readonly (readonly number[])[]) {
    super(`${operation} expects ${expected}, but was given ${shapes.map((s) => `[${s.join(", ")}]`).join(" and ")}`);
    this.operation = operation;
    this.shapes = shapes;
  }
}

/** A file whose bytes are not what its format says. */
export class FormatError extends FourstepError {
  override readonly name = "FormatError";
}

/** A model folder or checkpoint with a part that is missing, left over or of an unknown kind. */
export class CheckpointError extends FourstepError {
  override readonly name = "CheckpointError";
}

/** An adapter (LoRA) that cannot be read or does not fit the model. */
export class AdapterError extends FourstepError {
  override readonly name = "AdapterError";
}

/** The inference runtime refused a graph, a device or a run. */
export class RuntimeFailure extends FourstepError {
  override readonly name = "RuntimeFailure";
}

/** A value given by the user (an option, a setting, a data set) that cannot be used. */
export class UsageError extends FourstepError {
  override readonly name = "UsageError";
}
