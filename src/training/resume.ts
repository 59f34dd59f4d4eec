import { CheckpointError, FormatError, UsageError } from "../errors.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../formats/json.ts";
import { decodeSafetensors, encodeSafetensors } from "../formats/safetensors.ts";
import { parseSafetensorsHeader } from "../formats/safetensors-header.ts";
import { float32, type Tensor } from "../tensor/tensor.ts";
import type { ParameterLayout, TrainingState } from "./engine.ts";

const formatName = "fourstep-training-state-1";

/** A state as a safetensors file: the flat vectors, with step and layout in the metadata. */
export function encodeTrainingState(state: TrainingState, layout: ParameterLayout): Uint8Array<ArrayBuffer> {
  const vector = (data: Float32Array): Tensor => float32([layout.length], data);
  return encodeSafetensors(
    {
      parameters: vector(state.parameters),
      first_moment: vector(state.firstMoment),
      second_moment: vector(state.secondMoment),
      ...(state.ema === undefined ? {} : { ema: vector(state.ema) }),
    },
    { format: formatName, step: String(state.step), layout: describeLayout(layout) },
  );
}

/**
 * Reads a state that was saved for an engine of this layout.
 * @throws FormatError when the bytes are no such state; CheckpointError when they are one of another network.
 */
export function decodeTrainingState(bytes: Uint8Array, layout: ParameterLayout, name: string): TrainingState {
  const { metadata } = parseSafetensorsHeader(bytes, bytes.length, name);
  const format = metadata.get("format");
  if (format !== formatName) {
    throw new FormatError(`${name}: its "format" must be ${formatName}, but it is ${format ?? "missing"}.`);
  }
  const difference = firstDifference(metadata.get("layout") ?? "", describeLayout(layout));
  if (difference !== undefined) {
    throw new CheckpointError(`${name}: it was saved for another network: ${difference}; use the run's own config`);
  }
  const tensors = decodeSafetensors(bytes, name);
  const vector = (key: string): Float32Array => {
    const data = tensors.get(key)?.data;
    if (data instanceof Float32Array && data.length === layout.length) return data;
    throw new FormatError(`${name}: the vector "${key}" must hold ${layout.length} float32 elements.`);
  };
  return {
    step: Number(metadata.get("step")),
    parameters: vector("parameters"),
    firstMoment: vector("first_moment"),
    secondMoment: vector("second_moment"),
    ema: tensors.has("ema") ? vector("ema") : undefined,
  };
}

/**
 * Dotted names of the keys in which two configs differ, in order of their names; `free` keys (and all below them) may.
 */
export function differingKeys(a: JsonObject, b: JsonObject, free: readonly string[]): string[] {
  const found: string[] = [];
  const compare = (x: JsonValue | undefined, y: JsonValue | undefined, path: string): void => {
    if (free.includes(path)) return;
    if (isJsonObject(x) && isJsonObject(y)) {
      const keys = [...new Set([...Object.keys(x), ...Object.keys(y)])].sort();
      for (const key of keys) compare(x[key], y[key], path === "" ? key : `${path}.${key}`);
    } else if (JSON.stringify(x) !== JSON.stringify(y)) found.push(path);
  };
  compare(a, b, "");
  return found;
}

/**
 * Refuses to go on with a run under another config than the one it began with.
 * @throws UsageError naming the keys that differ, with both values.
 */
export function requireSameConfig(begun: JsonObject, given: JsonObject, free: readonly string[], place: string): void {
  const keys = differingKeys(begun, given, free);
  if (keys.length === 0) return;
  const named = keys.slice(0, 5).map((key) => `${key} (was ${shown(begun, key)}, is ${shown(given, key)})`);
  const more = keys.length > named.length ? ` and ${keys.length - named.length} more` : "";
  throw new UsageError(
    `${place}: this run began with another config, which differs in ${named.join(", ")}${more}; go on with the old values, or begin in a new folder`,
  );
}

function shown(config: JsonObject, path: string): string {
  let value: JsonValue | undefined = config;
  for (const key of path.split(".")) value = isJsonObject(value) ? value[key] : undefined;
  const text = JSON.stringify(value) ?? "absent";
  return text.length > 40 ? `${text.slice(0, 37)}...` : text;
}

function describeLayout({ entries }: ParameterLayout): string {
  return entries.map(({ name, shape }) => `${name} [${shape.join(", ")}]`).join("\n");
}

function firstDifference(saved: string, wanted: string): string | undefined {
  if (saved === wanted) return undefined;
  const [a, b] = [saved.split("\n"), wanted.split("\n")];
  const index = a.findIndex((line, at) => line !== b[at]);
  const at = index < 0 ? a.length : index;
  return `parameter ${at + 1} is ${a[at] ?? "absent"} there and ${b[at] ?? "absent"} here`;
}
