import { RuntimeFailure } from "../errors.ts";

/** Numbers of a barrier's shared state: arrived, rounds, released. */
export const barrierLength = 3;

/** Lets all threads go that wait at a barrier, now and later: they throw. */
export function releaseBarrier(state: Int32Array): void {
  Atomics.store(state, 2, 1);
  Atomics.notify(state, 1);
}

/**
 * A point that all `count` threads reach before any goes on. `state` is shared: how many have arrived, and how often all
 * have. Blocks the thread, so it is for workers alone. It throws a RuntimeFailure once it was released.
 */
export function barrierIn(state: Int32Array, count: number): () => void {
  return () => {
    const round = Atomics.load(state, 1);
    if (Atomics.add(state, 0, 1) === count - 1) {
      Atomics.store(state, 0, 0);
      Atomics.add(state, 1, 1);
      Atomics.notify(state, 1);
      return;
    }
    // In pieces, as a release may come between the look and the wait.
    while (Atomics.load(state, 1) === round) {
      if (Atomics.load(state, 2) === 1) throw new RuntimeFailure("Another worker failed, or the engine was disposed.");
      Atomics.wait(state, 1, round, 100);
    }
  };
}
