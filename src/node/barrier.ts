/**
 * A point that all `count` threads reach before any goes on. `state` is shared: how many have arrived, and how often all
 * have. Blocks the thread, so it is for workers alone.
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
    while (Atomics.load(state, 1) === round) Atomics.wait(state, 1, round);
  };
}
