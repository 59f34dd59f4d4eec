import { UsageError } from "../errors.ts";
import { input, type Value } from "../graph/value.ts";
import { type ClipTextConfig, clipTextModel, normalisedState } from "../models/clip.ts";
import { endPlace, projectedText } from "../models/clip-pooling.ts";
import { type Layers, layers } from "../models/layers.ts";
import { float32, int64, type Tensor } from "../tensor/tensor.ts";
import type { Model } from "./model.ts";
import type { Compile, EncodedText, TextRequest } from "./networks.ts";

/** What the sessions of text encoders are called. */
export const textEncoderName = "text encoder";

/**
 * Runs one of a model's text encoders.
 * @throws UsageError when the model has no second encoder, no layer is left, or a token has neither embedding nor vector
 */
export async function encodeText(
  model: Model,
  compile: Compile,
  request: TextRequest,
  signal?: AbortSignal,
): Promise<EncodedText> {
  const { encoder = "first", skippedLayers = 0 } = request;
  const network = encoder === "first" ? model.textEncoder : model.second?.textEncoder;
  if (network === undefined) throw new UsageError(`${model.name} has no second text encoder.`);
  const { config, source } = network;
  // Models with two encoders were taught the last state but one, without the final normalisation.
  const normalised = model.second === undefined;
  const state = config.layers - skippedLayers - (normalised ? 0 : 1);
  if (!Number.isInteger(skippedLayers) || skippedLayers < 0 || state < 1) {
    throw new UsageError(
      `${skippedLayers} layers of the text encoder are to be skipped, but it must be 0 to ${config.layers - (normalised ? 1 : 2)}.`,
    );
  }
  const inputs = textInputs(config, request);
  const name = `${textEncoderName} ${encoder} ${state} ${Object.keys(inputs).join(" ")}`;
  const session = await compile(name, Object.values(inputs), () => {
    const values = Object.fromEntries(
      Object.entries(inputs).map(([key, { shape, type }]) => [key, input(key, shape, type)]),
    );
    return textGraph(layers(source), config, values, state, normalised);
  });
  const results = await session.run(inputs, signal === undefined ? {} : { signal });
  const { states, pooled } = results as Record<string, Tensor<"float32">>;
  return { states: states!, ...(pooled === undefined ? {} : { pooled }) };
}

function textGraph(
  at: Layers,
  config: ClipTextConfig,
  { ids, ends, kept, vectors, hidden: unseen }: Readonly<Record<string, Value>>,
  state: number,
  normalised: boolean,
): Record<string, Value> {
  const learned = kept === undefined || vectors === undefined ? undefined : { kept, vectors };
  const { hiddenStates, lastHiddenState } = clipTextModel(at, config, ids!, learned, unseen);
  const hidden = hiddenStates[state]!;
  const last = normalised && state === config.layers;
  const states = last ? lastHiddenState : normalised ? normalisedState(at, config, hidden) : hidden;
  return ends === undefined ? { states } : { states, pooled: projectedText(at, config, lastHiddenState, ends) };
}

/** What the graph takes: numbers of known tokens, where texts end, which tokens are hidden, and vectors of other words. */
function textInputs(config: ClipTextConfig, { ids, learned, hidden }: TextRequest): Readonly<Record<string, Tensor>> {
  const [count, tokens] = ids.shape as [number, number];
  const numbers = Array.from(ids.data, Number);
  const rows = Array.from({ length: count }, (_, i) => numbers.slice(i * tokens, (i + 1) * tokens));
  const ends = rows.map((row, i) => i * tokens + endPlace(config, row));
  const pooling = config.projectionWidth === undefined ? {} : { ends: int64([count], ends) };
  const hiding = hidden === undefined ? {} : { hidden };
  if (numbers.every((id) => id < config.vocabulary)) return { ids, ...pooling, ...hiding };

  const kept = new Float32Array(numbers.length).fill(1);
  const vectors = new Float32Array(numbers.length * config.width);
  numbers.forEach((id, i) => {
    if (id < config.vocabulary) return;
    const vector = learned?.get(id);
    if (vector?.length !== config.width) {
      throw new UsageError(
        `Token ${id} lies beyond the vocabulary of ${config.vocabulary}, and there is no vector of ${config.width} numbers for it.`,
      );
    }
    kept[i] = 0;
    vectors.set(vector, i * config.width);
  });
  return {
    ids: int64(
      ids.shape,
      numbers.map((id) => (id < config.vocabulary ? id : 0)),
    ),
    ...pooling,
    ...hiding,
    kept: float32([numbers.length, 1], kept),
    vectors: float32([numbers.length, config.width], vectors),
  };
}
