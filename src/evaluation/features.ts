import { UsageError } from "../errors.ts";
import type { RunOptions } from "../runtime/runtime.ts";
import { float32, type Tensor } from "../tensor/tensor.ts";

/** Which network made features, and how: distances compare features of one identity only. */
export interface FeatureIdentity {
  /** E.g. `inception-v3-2015 2048`. */
  readonly network: string;
  /** How pictures were brought to its size, e.g. `tensorflow`. */
  readonly resizing: string;
  /** Of the network's weights; see `MeasureWeights`. */
  readonly fingerprint: string;
}

/** One row of numbers for each picture. */
export interface Features {
  readonly identity: FeatureIdentity;
  /** `[pictures, width]`. */
  readonly rows: Tensor<"float32">;
  /** Scores of the network's classes `[pictures, classes]`, where it has any. */
  readonly logits?: Tensor<"float32">;
}

/** A network that turns pictures into rows of numbers. It owns memory outside the collector's sight until it is disposed. */
export interface FeatureNetwork {
  readonly identity: FeatureIdentity;
  readonly width: number;
  /**
   * Features of pictures `[3, height, width]` in [-1, 1], each of any size, in their order.
   * @throws UsageError when there is no picture; DOMException `AbortError` when the signal was aborted
   */
  extract(
    pictures: Iterable<Tensor<"float32">> | AsyncIterable<Tensor<"float32">>,
    options?: RunOptions,
  ): Promise<Features>;
  dispose(): Promise<void>;
}

/** What a person reads of an identity. */
export function describeFeatures({ network, resizing, fingerprint }: FeatureIdentity): string {
  return `${network}, ${resizing} resizing, weights ${fingerprint}`;
}

/**
 * Demands that two sets of features were made alike.
 * @throws UsageError in one sentence that says what differs
 */
export function expectSameFeatures(a: Features, b: Features): void {
  expectSameNetwork(a.identity, b.identity, [a.rows.shape[1]!, b.rows.shape[1]!]);
}

/** The same of identities and widths. @throws UsageError */
export function expectSameNetwork(a: FeatureIdentity, b: FeatureIdentity, widths: readonly [number, number]): void {
  const [first, second] = [describeFeatures(a), describeFeatures(b)];
  if (first !== second) {
    throw new UsageError(
      `Features of (${first}) cannot be compared with those of (${second}); make both with one network.`,
    );
  }
  if (widths[0] !== widths[1]) {
    throw new UsageError(
      `Features of ${widths[0]} numbers cannot be compared with features of ${widths[1]}; make both with one network.`,
    );
  }
}

/**
 * Some rows of features, in the order given; an index may come more than once.
 * @param rows indices into the pictures
 */
export function selectFeatures({ identity, rows, logits }: Features, indices: ArrayLike<number>): Features {
  return {
    identity,
    rows: selectRows(rows, indices),
    ...(logits === undefined ? {} : { logits: selectRows(logits, indices) }),
  };
}

/** The rows of all parts, in order. @throws UsageError when there is no part, or they were not made alike */
export function joinFeatures(parts: readonly Features[]): Features {
  const first = parts[0];
  if (first === undefined) throw new UsageError("There are no features to join; at least one picture is needed.");
  for (const part of parts) expectSameFeatures(first, part);
  const logits = parts.map((part) => part.logits).filter((one) => one !== undefined);
  return {
    identity: first.identity,
    rows: joinRows(parts.map(({ rows }) => rows)),
    ...(logits.length === parts.length ? { logits: joinRows(logits) } : {}),
  };
}

/** Some rows of a tensor `[rows, width]`, in the order given. */
export function selectRows({ shape, data }: Tensor<"float32">, indices: ArrayLike<number>): Tensor<"float32"> {
  const width = shape[1]!;
  const out = new Float32Array(indices.length * width);
  for (let i = 0; i < indices.length; i++)
    out.set(data.subarray(indices[i]! * width, (indices[i]! + 1) * width), i * width);
  return float32([indices.length, width], out);
}

function joinRows(parts: readonly Tensor<"float32">[]): Tensor<"float32"> {
  const width = parts[0]!.shape[1]!;
  const count = parts.reduce((sum, { shape }) => sum + shape[0]!, 0);
  const out = new Float32Array(count * width);
  let offset = 0;
  for (const { data } of parts) {
    out.set(data, offset);
    offset += data.length;
  }
  return float32([count, width], out);
}
