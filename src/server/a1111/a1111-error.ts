import type { Problem } from "../problem.ts";
import type { A1111Error } from "../schemas/a1111.ts";

export function a1111Error({ kind, message }: Problem): A1111Error {
  return { error: kind, detail: message, body: "", errors: message };
}
