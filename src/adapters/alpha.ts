import { FormatError } from "../errors.ts";
import { field, isJsonObject, type JsonObject, type JsonValue, kindOf, parseJsonObject } from "../formats/json.ts";
import type { ModelPart } from "./keys/dialect.ts";

/** The alpha of a module of some rank that has no tensor of its own for it; `alpha / rank` is its scale. */
export type AlphaRule = (path: string, rank: number) => number;

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

/**
 * The rule of PEFT's `adapter_config.json`, which lies beside an adapter's weights.
 * @throws FormatError when it is no configuration of a LoRA.
 */
export function alphaFromPeftConfig(text: string, name = "adapter_config.json"): AlphaRule {
  const config = parseJsonObject(text, name);
  const type = field(config, "peft_type");
  if (type !== undefined && type !== "LORA") {
    throw new FormatError(`${name}: "peft_type" must be "LORA", but it is ${kindOf(type)}.`);
  }
  return alphaRule(config, "", name);
}

function alphaRule(config: JsonObject, prefix: string, place: string): AlphaRule {
  const alpha = field(config, `${prefix}lora_alpha`);
  if (alpha === undefined || alpha === null) return alphaOfRank;
  const general = positive(alpha, `${prefix}lora_alpha`, place);
  const patternsValue = field(config, `${prefix}alpha_pattern`);
  const patterns = isJsonObject(patternsValue)
    ? Object.entries(patternsValue).map(([name, value]) => [name, positive(value, name, place)] as const)
    : [];
  // Rank-stabilised LoRA scales by alpha / sqrt(rank).
  const stabilised = field(config, `${prefix}use_rslora`) === true;
  return (path, rank) => {
    const own = patterns.find(([name]) => path === name || path.endsWith(`.${name}`));
    return (own?.[1] ?? general) * (stabilised ? Math.sqrt(rank) : 1);
  };
}

function positive(value: JsonValue, key: string, place: string): number {
  if (typeof value === "number" && value > 0) return value;
  throw new FormatError(`${place}: "${key}" must be a number above 0, but it is ${kindOf(value)}.`);
}
