import {
  AdapterError,
  CheckpointError,
  FormatError,
  type FourstepError,
  RuntimeFailure,
  UsageError,
} from "../errors.ts";

/** An error as data that one thread can send to another. */
export interface CrossingError {
  /** The class; of errors that are not the project's own, what JavaScript calls them. */
  readonly name: string;
  readonly message: string;
}

const kinds: Readonly<Record<string, new (message: string) => FourstepError>> = {
  AdapterError,
  CheckpointError,
  FormatError,
  RuntimeFailure,
  UsageError,
};

export function toCrossing(error: unknown): CrossingError {
  return error instanceof Error
    ? { name: error.name, message: error.message }
    : { name: "Error", message: String(error) };
}

/** The error again, of its class and with its message; one that is not the project's own becomes a `RuntimeFailure`. */
export function fromCrossing({ name, message }: CrossingError): FourstepError {
  const kind = kinds[name];
  return kind === undefined ? new RuntimeFailure(`The worker failed with ${name}: ${message}`) : new kind(message);
}
