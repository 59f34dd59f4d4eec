import { FourstepError } from "../errors.ts";

/** Runs `build` and puts `place` before whatever error it throws, so that a shape error names its place in the model. */
export function within<T>(place: string, build: () => T): T {
  try {
    return build();
  } catch (error) {
    if (error instanceof FourstepError) error.addPlace(place);
    throw error;
  }
}
