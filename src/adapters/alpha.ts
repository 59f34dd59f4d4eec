import { FormatError } from "../errors.ts";
import {
  field,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  kindOf,
  parseJsonObject,
  shorten,
} from "../formats/json.ts";
import type { ModelPart } from "./keys/dialect.ts";

/** The alpha of a module of some rank that has no tensor of its own for it; `alpha / rank` is its scale. */
export interface AlphaRule {
  (path: string, rank: number): number;
  /** How rotations are made, where a configuration says it. */
  readonly rotation?: RotationSettings;
}

/** How PEFT makes the rotations of OFT. */
export interface RotationSettings {
  /** Terms of a series, or undefined for the rotation that it approaches. */
  readonly terms: number | undefined;
  /** How far all blocks may go together; undefined is any way. */
  readonly bound: number | undefined;
}

/** Under this key diffusers keeps the configuration of PEFT in a file's metadata. */
const diffusersMetadataKey = "lora_adapter_metadata";

/** What diffusers puts before the settings of each part of a pipeline. */
const partNames: Readonly<Record<ModelPart, string>> = {
  unet: "unet.",
  textEncoder: "text_encoder.",
  textEncoder2: "text_encoder_2.",
};

/** Where nothing is said, alpha is the rank: the scale is 1. */
export const alphaOfRank: AlphaRule = (_, rank) => rank;

/**
 * The rule that a file's metadata state, or else alpha is the rank.
 * @throws FormatError when the metadata cannot be understood.
 */
export function alphaFromMetadata(metadata: ReadonlyMap<string, string>, part: ModelPart, file: string): AlphaRule {
  const text = metadata.get(diffusersMetadataKey);
  if (text === undefined) return alphaOfRank;
  const place = `${file}: metadata "${diffusersMetadataKey}"`;
  return alphaRule(parseJsonObject(text, place), partNames[part], place);
}

/** What PEFT calls alpha in its configurations of each kind of adapter that has one. */
const alphaFields: Readonly<Record<string, string>> = { LORA: "lora_alpha", LOHA: "alpha", LOKR: "alpha" };

/**
 * The rule of PEFT's `adapter_config.json`, which lies beside an adapter's weights.
 * @throws FormatError when it is no configuration of a LoRA, a LoHa, a LoKr or an OFT
 */
export function alphaFromPeftConfig(text: string, name = "adapter_config.json"): AlphaRule {
  const config = parseJsonObject(text, name);
  const type = field(config, "peft_type") ?? "LORA";
  if (type === "OFT") return Object.assign((_: string, rank: number) => rank, { rotation: rotationOf(config, name) });
  if (typeof type !== "string" || !Object.hasOwn(alphaFields, type)) {
    throw new FormatError(`${name}: "peft_type" must be "LORA", "LOHA", "LOKR" or "OFT", but it is ${kindOf(type)}.`);
  }
  const rule = alphaRule(config, "", name, alphaFields[type]);
  return type === "LOKR" ? byConfiguredRank(rule, config, name) : rule;
}

/** A file of somebody else must not make reading slow; 5 are usual. */
const mostTerms = 50;

function rotationOf(config: JsonObject, place: string): RotationSettings {
  const setting = (key: string, otherwise: number): number => positive(field(config, key) ?? otherwise, key, place);
  const terms = Math.min(setting("num_cayley_neumann_terms", 5), mostTerms);
  return {
    terms: field(config, "use_cayley_neumann") === false ? undefined : terms,
    bound: field(config, "coft") === true ? setting("eps", 6e-5) : undefined,
  };
}

/** Factors of a LoKr may be whole, so that only the configuration tells the rank that alpha is divided by. */
function byConfiguredRank(rule: AlphaRule, config: JsonObject, place: string): AlphaRule {
  const general = field(config, "r");
  if (general === undefined || general === null) return rule;
  const rankOf = byPattern(positive(general, "r", place), field(config, "rank_pattern"), place);
  return (path, rank) => (rule(path, rank) / rankOf(path)) * rank;
}

function alphaRule(config: JsonObject, prefix: string, place: string, name = "lora_alpha"): AlphaRule {
  const alpha = field(config, `${prefix}${name}`);
  if (alpha === undefined || alpha === null) return alphaOfRank;
  const general = positive(alpha, `${prefix}${name}`, place);
  const alphaOf = byPattern(general, field(config, `${prefix}alpha_pattern`), place);
  // Rank-stabilised LoRA scales by alpha / sqrt(rank).
  const stabilised = field(config, `${prefix}use_rslora`) === true;
  return (path, rank) => alphaOf(path) * (stabilised ? Math.sqrt(rank) : 1);
}

/** A setting of each layer: of the first pattern that matches the end of its path, at a dot, or else the general one. */
function byPattern(general: number, patterns: JsonValue | undefined, place: string): (path: string) => number {
  if (!isJsonObject(patterns)) return () => general;
  const own = Object.entries(patterns).map(([pattern, value]) => ({
    expression: expressionOf(pattern, place),
    value: positive(value, pattern, place),
  }));
  return (path) => own.find(({ expression }) => expression.test(path))?.value ?? general;
}

/** Quantifiers of a pattern; a file of somebody else must not make matching slow. */
const mostQuantifiers = 3;

/**
 * PEFT's patterns are regular expressions; without repeated groups, and with few repetitions, their cost is bounded.
 * @throws FormatError when it is none, or asks for more than that
 */
function expressionOf(pattern: string, place: string): RegExp {
  const quantifiers = pattern.match(/[*+?{]/g)?.length ?? 0;
  try {
    if (pattern.length <= 200 && quantifiers <= mostQuantifiers && !/\)[*+?{]/.test(pattern)) {
      return new RegExp(`^(?:.*\\.)?(?:${pattern})$`);
    }
  } catch {
    // No expression.
  }
  throw new FormatError(
    `${place}: ${JSON.stringify(shorten(pattern))} is no pattern that can be used; name layers, or write a regular expression with at most ${mostQuantifiers} repetitions.`,
  );
}

function positive(value: JsonValue, key: string, place: string): number {
  if (typeof value === "number" && value > 0) return value;
  throw new FormatError(
    `${place}: ${JSON.stringify(shorten(key))} must be a number above 0, but it is ${kindOf(value)}.`,
  );
}
