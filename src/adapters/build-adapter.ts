import { AdapterError } from "../errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type AlphaRule, alphaFromMetadata } from "./alpha.ts";
import type { ParameterChange } from "./change.ts";
import type { AdapterRole, ModelPart } from "./keys/dialect.ts";
import { type MatchedModule, quoted } from "./keys/match.ts";
import { allZero, sizeOf } from "./kinds/module-tensors.ts";
import { readModule } from "./kinds/read-module.ts";
import { type LoraModule, loraRank } from "./lora.ts";

/** What is known of one change, of either kind. */
type ChangeFacts = Pick<ParameterChange, "kind" | "parameters" | "rank" | "alpha" | "zero">;

/** What an adapter holds. */
export interface AdapterContent {
  readonly parts: Readonly<Record<ModelPart, { readonly modules: LoraModule[]; readonly changes: ParameterChange[] }>>;
  readonly facts: readonly ChangeFacts[];
  /** How many keys were used. */
  readonly used: number;
  /** Keys that mean nothing without others. */
  readonly idle: readonly string[];
}

/**
 * Makes changes of matched keys and their tensors; of a file in which anything is wrong, none.
 * @throws AdapterError naming the module or key
 */
export function buildAdapter(
  file: string,
  matched: readonly MatchedModule[],
  tensors: ReadonlyMap<string, Tensor>,
  metadata: ReadonlyMap<string, string>,
  given: AlphaRule | undefined,
): AdapterContent {
  const empty = () => ({ modules: [] as LoraModule[], changes: [] as ParameterChange[] });
  const parts = { unet: empty(), textEncoder: empty(), textEncoder2: empty() };
  const rules = new Map<ModelPart, AlphaRule>();
  const facts: ChangeFacts[] = [];
  const idle: string[] = [];
  let used = 0;
  for (const { part, model, keys } of matched) {
    const alphaRule = given ?? rules.get(part) ?? alphaFromMetadata(metadata, part, file);
    rules.set(part, alphaRule);
    const own = new Map<AdapterRole, Tensor>();
    for (const [role, key] of keys) own.set(role, checked(file, key, tensors.get(key)!, role));
    const change = readModule({ file, model, keys, tensors: own, alphaRule });
    if (change === undefined) {
      idle.push(...keys.values());
      continue;
    }
    used += keys.size;
    if (change.lowRank !== undefined) {
      parts[part].modules.push(change.lowRank);
      facts.push(loraFacts(change.lowRank));
    }
    parts[part].changes.push(...change.changes);
    facts.push(...change.changes);
  }
  if (facts.length === 0) {
    throw new AdapterError(`${file}: no module has all parts of a change, e.g. ${quoted(idle[0] ?? "")} stands alone.`);
  }
  return { parts, facts, used, idle };
}

function loraFacts(module: LoraModule): ChangeFacts {
  const { down, up, alpha } = module;
  return {
    kind: "LoRA",
    parameters: sizeOf([down, up]),
    rank: loraRank(module),
    alpha,
    zero: allZero(up) || allZero(down),
  };
}

/** @throws AdapterError when a tensor is of no float type, or holds a number that is not finite */
function checked(file: string, key: string, tensor: Tensor, role: AdapterRole): Tensor {
  // LyCORIS keeps this one as a whole number.
  if (role === "factorOnInput") return tensor;
  switch (tensor.type) {
    case "float32":
    case "float64":
      if ((tensor.data as Float32Array | Float64Array).every(Number.isFinite)) return tensor;
      break;
    case "float16":
      if ((tensor.data as Uint16Array).every((bits) => (bits & 0x7c00) !== 0x7c00)) return tensor;
      break;
    case "bfloat16":
      if ((tensor.data as Uint16Array).every((bits) => (bits & 0x7f80) !== 0x7f80)) return tensor;
      break;
    default:
      if (role === "alpha") return tensor;
      throw new AdapterError(`${file}: ${quoted(key)} is of type ${tensor.type}, but an adapter's numbers are floats.`);
  }
  if (role === "alpha") return tensor;
  throw new AdapterError(
    `${file}: ${quoted(key)} holds a number that is not finite (NaN or infinity); the file is damaged, or its training went wrong.`,
  );
}
