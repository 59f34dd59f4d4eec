import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { UsageError } from "../errors.ts";

/** Name of the model that comes with the package. */
export const shippedModelName = "fourstep-64";

/**
 * The folder of the model that comes with the package: two folders above both `src/node` and `dist/node`.
 * @throws UsageError when this installation lacks it
 */
export function shippedModelFolder(): string {
  const folder = fileURLToPath(new URL(`../../models/${shippedModelName}`, import.meta.url));
  if (existsSync(folder)) return folder;
  throw new UsageError(
    `The model ${shippedModelName}, which comes with the package, is missing; name a model's folder with --model.`,
  );
}
