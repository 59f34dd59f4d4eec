import { FourstepError } from "../errors.ts";

/** What can be wrong with a request, with the status that HTTP has for it. */
export const problemStatus = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  too_large: 413,
  unsupported: 415,
  full: 429,
  failed: 500,
  unavailable: 503,
  timeout: 504,
} as const;

export type ProblemKind = keyof typeof problemStatus;

/** A request that is not carried out; each dialect of the API says so in its own form. */
export class Problem extends FourstepError {
  override readonly name = "Problem";
  readonly kind: ProblemKind;
  /** The field at fault. */
  readonly field: string | undefined;
  /** When to ask again. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    kind: ProblemKind,
    message: string,
    more: { readonly field?: string; readonly retryAfterSeconds?: number } & ErrorOptions = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.kind = kind;
    this.field = more.field;
    this.retryAfterSeconds = more.retryAfterSeconds;
  }
}
