import type { Problem } from "../problem.ts";

/** A problem in the form of A1111's own errors; `detail` is where clients look. */
export interface A1111Error {
  readonly error: string;
  readonly detail: string;
  readonly body: string;
  readonly errors: string;
}

export function a1111Error({ kind, message }: Problem): A1111Error {
  return { error: kind, detail: message, body: "", errors: message };
}
