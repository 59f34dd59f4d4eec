/** A batch is used when it takes at most this share of the time that its pictures take alone. */
const worthwhile = 0.95;

/** Share of a new measurement in the mean. */
const weight = 0.3;

/** Chooses how many pictures one network call draws, by what it has measured on this machine. */
export interface BatchGauge {
  /** For pictures of a kind, of which so many could be drawn: 1, or as many as a batch that is faster or still unknown. */
  choose(kind: string, pictures: number): number;
  /** Takes note of a drawing that had nothing to compile. */
  measured(kind: string, batch: number, secondsPerPicture: number): void;
}

/**
 * Measures pictures alone and in batches of a kind; at first pictures are drawn alone, then in a batch, then in whichever
 * way takes less time a picture.
 *
 * Batches are of 1 and powers of two, since each size is compiled anew.
 * @param most pictures of a batch; 1 is no batches
 */
export function batchGauge(most: number): BatchGauge {
  const kinds = new Map<string, Map<number, number>>();
  return {
    choose(kind, pictures) {
      const known = kinds.get(kind);
      const alone = known?.get(1);
      if (known === undefined || alone === undefined) return 1;
      for (let batch = 2 ** Math.floor(Math.log2(Math.min(most, pictures))); batch > 1; batch /= 2) {
        const together = known.get(batch);
        if (together === undefined || together <= worthwhile * alone) return batch;
      }
      return 1;
    },
    measured(kind, batch, secondsPerPicture) {
      const known = kinds.get(kind) ?? new Map<number, number>();
      // Kinds that were not drawn for long make room.
      kinds.delete(kind);
      kinds.set(kind, known);
      if (kinds.size > mostKinds) kinds.delete(kinds.keys().next().value!);
      const before = known.get(batch);
      known.set(batch, before === undefined ? secondsPerPicture : before + weight * (secondsPerPicture - before));
    },
  };
}

const mostKinds = 100;
