import { AdapterError } from "../../errors.ts";
import type { ModuleShape } from "../targets.ts";
import type { Dialect, LoraRole, ModelPart } from "./dialect.ts";

/** The keys of one module of the model, by role. */
export interface MatchedModule {
  readonly path: string;
  readonly keys: Readonly<Partial<Record<LoraRole, string>>>;
}

/** Which key is what; every key is in exactly one list. */
export interface KeyMatch {
  /** In the model's order; each with at least one key. */
  readonly modules: readonly MatchedModule[];
  /** The dialect that most matched keys belong to; undefined when none matched. */
  readonly dialect: string | undefined;
  /** Keys of this part of the model whose module it does not have. */
  readonly unmatched: readonly string[];
  /** Keys of other parts, such as the text encoder, and keys that no dialect knows. */
  readonly leftOver: readonly string[];
}

/** A dialect with its spellings of one model, and its beginnings and endings, longest first. */
interface Reader {
  readonly dialect: Dialect;
  readonly spellings: ReadonlyMap<string, string>;
  readonly beginnings: readonly (readonly [string, ModelPart])[];
  readonly endings: readonly (readonly [string, LoraRole])[];
}

/**
 * Finds the module of each key by the spellings that the dialects give to the model's own modules; underscores are never
 * split by guesswork.
 * @throws AdapterError when two keys claim the same part of a module.
 */
export function matchKeys(
  keys: Iterable<string>,
  modules: readonly ModuleShape[],
  part: ModelPart,
  dialects: readonly Dialect[],
): KeyMatch {
  const readers = dialects.map((dialect) => makeReader(dialect, modules));
  const found = new Map<string, Partial<Record<LoraRole, string>>>();
  const votes = new Map<string, number>();
  const unmatched: string[] = [];
  const leftOver: string[] = [];
  for (const key of keys) {
    const reading = readKey(key, part, readers);
    if (reading === "unmatched") unmatched.push(key);
    else if (reading === "leftOver") leftOver.push(key);
    else {
      const roles = found.get(reading.path) ?? {};
      const other = roles[reading.role];
      if (other !== undefined) {
        throw new AdapterError(
          `"${other}" and "${key}" are both the ${reading.role} part of ${reading.path}; keep one.`,
        );
      }
      roles[reading.role] = key;
      found.set(reading.path, roles);
      votes.set(reading.dialect, (votes.get(reading.dialect) ?? 0) + 1);
    }
  }
  const matched = modules.flatMap(({ path }) => {
    const roles = found.get(path);
    return roles === undefined ? [] : [{ path, keys: roles }];
  });
  const [winner] = [...votes].sort(([, a], [, b]) => b - a);
  return { modules: matched, dialect: winner?.[0], unmatched, leftOver };
}

function makeReader(dialect: Dialect, modules: readonly ModuleShape[]): Reader {
  const longestFirst = <T>(table: Readonly<Record<string, T>>): [string, T][] =>
    Object.entries(table).sort(([a], [b]) => b.length - a.length);
  return {
    dialect,
    spellings: dialect.spell(modules),
    beginnings: longestFirst(dialect.beginnings),
    endings: longestFirst(dialect.endings),
  };
}

type Reading = { readonly path: string; readonly role: LoraRole; readonly dialect: string } | "unmatched" | "leftOver";

function readKey(key: string, part: ModelPart, readers: readonly Reader[]): Reading {
  let otherwise: Reading = "leftOver";
  let told = -1;
  for (const { dialect, spellings, beginnings, endings } of readers) {
    const ending = endings.find(([text]) => key.endsWith(text));
    if (ending === undefined) continue;
    const [endingText, role] = ending;
    const stem = key.slice(0, -endingText.length);
    const fitting = beginnings.filter(([text]) => stem.startsWith(text));
    for (const [text, ofPart] of fitting) {
      const path = ofPart === part ? spellings.get(stem.slice(text.length)) : undefined;
      if (path !== undefined) return { path, role, dialect: dialect.name };
    }
    // The longest beginning of all dialects tells which part the key speaks of.
    const [beginning, ofPart] = fitting[0] ?? ["", undefined];
    if (ofPart !== undefined && beginning.length > told) {
      told = beginning.length;
      otherwise = ofPart === part ? "unmatched" : "leftOver";
    }
  }
  return otherwise;
}
