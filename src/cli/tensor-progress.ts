import type { CliContext } from "./command.ts";
import { drawingProgress } from "./drawing-progress.ts";

/** Runs work that tells of each tensor, with a bar on a terminal. */
export async function withProgress<T>(
  { stderr }: CliContext,
  work: (onTensor: (done: number, all: number) => void) => Promise<T>,
): Promise<T> {
  let bar: ReturnType<typeof drawingProgress> | undefined;
  try {
    return await work((_, all) => {
      bar ??= drawingProgress(stderr, all, "tensor");
      bar.step();
    });
  } finally {
    bar?.hide();
  }
}
