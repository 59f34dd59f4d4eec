import { z } from "zod";
import { UsageError } from "../../errors.ts";
import { field, isJsonObject, type JsonObject, type JsonValue, kindOf } from "../../formats/json.ts";
import {
  type AutoencoderTrainingConfig,
  autoencoderTrainingDefaults,
  autoencoderTrainingShape,
} from "./autoencoder.ts";
import { type BaseTrainingConfig, baseTrainingDefaults, baseTrainingShape } from "./base.ts";
import { type CommonConfig, checkCommon } from "./common.ts";
import { checkConsistency } from "./consistency.ts";
import { type Shape, section } from "./fields.ts";
import { type LcdTrainingConfig, lcdTrainingDefaults, lcdTrainingShape } from "./lcd.ts";
import { type LcfTrainingConfig, lcfTrainingDefaults, lcfTrainingShape } from "./lcf.ts";
import { type LoraTrainingConfig, loraTrainingDefaults, loraTrainingShape } from "./lora.ts";
import { nearestName } from "./nearest.ts";

/** The resolved config of each kind of training; nothing in it is optional. */
export interface TrainingConfigs {
  readonly autoencoder: AutoencoderTrainingConfig;
  readonly base: BaseTrainingConfig;
  readonly lora: LoraTrainingConfig;
  readonly lcd: LcdTrainingConfig;
  readonly lcf: LcfTrainingConfig;
}

/** What `fourstep train` can train. */
export type TrainingKind = keyof TrainingConfigs;

interface KindReader<C> {
  readonly defaults: Partial<C>;
  readonly shape: Shape<C>;
  readonly check: (config: C, place: string) => void;
}

const readers: { readonly [K in TrainingKind]: KindReader<TrainingConfigs[K]> } = {
  autoencoder: { defaults: autoencoderTrainingDefaults, shape: autoencoderTrainingShape, check: () => {} },
  base: { defaults: baseTrainingDefaults, shape: baseTrainingShape, check: () => {} },
  lora: { defaults: loraTrainingDefaults, shape: loraTrainingShape, check: () => {} },
  lcd: { defaults: lcdTrainingDefaults, shape: lcdTrainingShape, check: checkConsistency },
  lcf: { defaults: lcfTrainingDefaults, shape: lcfTrainingShape, check: checkConsistency },
};

/** The kinds of training, in the order in which a model needs them. */
export const trainingKinds: readonly TrainingKind[] = ["autoencoder", "base", "lora", "lcd", "lcf"];

/**
 * The kind of training that a word names.
 * @throws UsageError listing the kinds.
 */
export function parseTrainingKind(word: string): TrainingKind {
  const kind = trainingKinds.find((known) => known === word);
  if (kind !== undefined) return kind;
  const near = nearestName(word, trainingKinds);
  throw new UsageError(
    `"${word}" is no kind of training${near === undefined ? "" : ` (did you mean ${near}?)`}; the kinds are ${trainingKinds.join(", ")}`,
  );
}

/**
 * Fills the defaults of a kind into a config as a person wrote it, and checks each key.
 * @param place what errors call the config, such as its file's name
 * @throws UsageError naming the key, the value and what was expected; for an unknown key, the nearest known one.
 */
export function parseTrainingConfig<K extends TrainingKind>(
  kind: K,
  json: JsonValue | undefined,
  place: string,
): TrainingConfigs[K] {
  if (!isJsonObject(json)) throw new UsageError(`${place}: a config must be a JSON object, but it is ${kindOf(json)}`);
  const { defaults, shape, check }: KindReader<TrainingConfigs[K]> = readers[kind];
  const rank = field(json, "rank");
  const given = rank !== undefined && "alpha" in shape ? { alpha: rank, ...json } : json;
  const schema = section(shape);
  const result = schema.safeParse(withDefaults(defaults as JsonObject, given));
  if (!result.success) throw new UsageError(`${place}: ${describe(result.error.issues[0]!, schema, given)}`);
  const config: TrainingConfigs[K] = result.data;
  checkCommon(config as CommonConfig, place);
  check(config, place);
  return config;
}

/** Sections are filled key by key; configs of networks and schedulers are taken whole. */
function withDefaults(defaults: JsonObject, given: JsonObject): JsonObject {
  const filled: Record<string, JsonValue> = { ...defaults, ...given };
  for (const key of ["optimizer", "sample", "measure"]) {
    const [ours, theirs] = [defaults[key], given[key]];
    if (isJsonObject(ours) && isJsonObject(theirs)) filled[key] = { ...ours, ...theirs };
  }
  return filled;
}

function describe(issue: z.core.$ZodIssue, schema: z.ZodType, given: JsonObject): string {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    const unknown = issue.keys[0]!;
    const known = keysAt(schema, path);
    const near = nearestName(unknown, known);
    const advice =
      near === undefined ? `the keys are ${known.join(", ")}` : `did you mean "${[...path, near].join(".")}"?`;
    return `"${[...path, unknown].join(".")}" is not a key of this config; ${advice}`;
  }
  let value: JsonValue | undefined = given;
  for (const key of path) value = isJsonObject(value) ? field(value, key) : undefined;
  const expectation = issue.code === "invalid_type" ? "an object" : issue.message;
  return `"${path.join(".")}" must be ${expectation}, but it is ${kindOf(value)}`;
}

function keysAt(schema: z.ZodType, path: readonly string[]): string[] {
  let here: unknown = schema;
  for (const key of path) here = here instanceof z.ZodObject ? here.shape[key] : undefined;
  return here instanceof z.ZodObject ? Object.keys(here.shape) : [];
}
