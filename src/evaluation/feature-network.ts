import { UsageError } from "../errors.ts";
import { encodePrepared } from "../graph/prepare.ts";
import { input, type Value } from "../graph/value.ts";
import type { RunOptions, Runtime, Session } from "../runtime/runtime.ts";
import { filled, float32, type Tensor } from "../tensor/tensor.ts";
import type { FeatureIdentity, FeatureNetwork, Features } from "./features.ts";

/** What a network that makes features consists of. */
export interface FeatureGraph {
  readonly identity: FeatureIdentity;
  readonly width: number;
  readonly height: number;
  readonly featureWidth: number;
  /** A picture `[3, h, w]` in [-1, 1] as the network takes it, `[3, height, width]`. */
  prepare(picture: Tensor<"float32">): Tensor<"float32">;
  /** The graph on pictures `[batch, 3, height, width]`: features `[batch, featureWidth]` and, where there are, logits. */
  build(pictures: Value): { readonly features: Value; readonly logits?: Value };
}

/** Pictures that go through the network at once, unless told. */
const usualBatch = 8;

/**
 * Compiles a network that makes features; the last batch of a set is filled with zeros, whose rows are dropped.
 * @throws RuntimeFailure, CheckpointError
 */
export async function compileFeatureNetwork(
  runtime: Runtime,
  graph: FeatureGraph,
  batch: number = usualBatch,
): Promise<FeatureNetwork> {
  const { identity, width, height, featureWidth } = graph;
  const size = 3 * width * height;
  const { features, logits } = graph.build(input("pictures", [batch, 3, height, width]));
  const outputs = logits === undefined ? { features } : { features, logits };
  const session: Session = await runtime.compile(encodePrepared(outputs, true), { layouts: true });

  async function extract(
    pictures: Iterable<Tensor<"float32">> | AsyncIterable<Tensor<"float32">>,
    options: RunOptions = {},
  ): Promise<Features> {
    const rows: Float32Array[] = [];
    const scores: Float32Array[] = [];
    let count = 0;
    let waiting = filled([batch, 3, height, width]);
    const flush = async (): Promise<void> => {
      const used = count % batch === 0 ? batch : count % batch;
      const results = await session.run({ pictures: waiting }, options);
      const keep = (name: string, into: Float32Array[]): void => {
        const { data, shape } = results[name] as Tensor<"float32">;
        into.push(data.slice(0, used * shape[1]!));
      };
      keep("features", rows);
      if (logits !== undefined) keep("logits", scores);
      waiting = filled([batch, 3, height, width]);
    };
    for await (const picture of pictures) {
      waiting.data.set(graph.prepare(picture).data, (count % batch) * size);
      count++;
      if (count % batch === 0) await flush();
    }
    if (count === 0) throw new UsageError("There is no picture to measure; at least one is needed.");
    if (count % batch !== 0) await flush();
    const all = (parts: readonly Float32Array[], wide: number): Tensor<"float32"> => {
      const out = new Float32Array(count * wide);
      let offset = 0;
      for (const part of parts) {
        out.set(part, offset);
        offset += part.length;
      }
      return float32([count, wide], out);
    };
    return {
      identity,
      rows: all(rows, featureWidth),
      ...(logits === undefined ? {} : { logits: all(scores, logits.shape[1]!) }),
    };
  }

  return { identity, width: featureWidth, extract, dispose: () => session.dispose() };
}
