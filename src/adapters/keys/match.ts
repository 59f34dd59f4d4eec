import { AdapterError } from "../../errors.ts";
import type { ModuleShape } from "../targets.ts";
import { type AdapterRole, type Dialect, type ModelPart, modelParts } from "./dialect.ts";

/** The layers of each part of a model that adapters may change. */
export type PartModules = Readonly<Partial<Record<ModelPart, readonly ModuleShape[]>>>;

/** The keys of one module of the model, by role. */
export interface MatchedModule {
  readonly part: ModelPart;
  readonly model: ModuleShape;
  readonly keys: ReadonlyMap<AdapterRole, string>;
}

/** Which key is what; every key is in exactly one list. */
export interface KeyMatch {
  /** In the model's order, part by part; each with at least one key. */
  readonly modules: readonly MatchedModule[];
  /** The dialect that most matched keys belong to; undefined when none matched. */
  readonly dialect: string | undefined;
  /** Keys of the given parts of the model whose module it does not have. */
  readonly unmatched: readonly string[];
  /** Keys of other parts, and keys that no dialect knows. */
  readonly leftOver: readonly string[];
}

/** A dialect with its spellings of one model, and its beginnings and endings, longest first. */
interface Reader {
  readonly dialect: Dialect;
  readonly spellings: ReadonlyMap<ModelPart, ReadonlyMap<string, string>>;
  readonly beginnings: readonly (readonly [string, ModelPart])[];
  readonly endings: readonly (readonly [string, AdapterRole])[];
}

/**
 * Finds the module of each key by the spellings that the dialects give to the model's own modules; underscores are never
 * split by guesswork.
 * @param file what errors call the file
 * @throws AdapterError when two keys claim the same part of a module.
 */
export function matchKeys(
  keys: Iterable<string>,
  parts: PartModules,
  dialects: readonly Dialect[],
  file: string,
): KeyMatch {
  const readers = dialects.map((dialect) => makeReader(dialect, parts));
  const found = new Map<string, Map<AdapterRole, string>>();
  const votes = new Map<string, number>();
  const unmatched: string[] = [];
  const leftOver: string[] = [];
  for (const key of keys) {
    const reading = readKey(key, parts, readers);
    if (reading === "unmatched") unmatched.push(key);
    else if (reading === "leftOver") leftOver.push(key);
    else {
      const module = `${reading.part} ${reading.path}`;
      const roles = found.get(module) ?? new Map<AdapterRole, string>();
      const other = roles.get(reading.role);
      if (other !== undefined) {
        throw new AdapterError(
          `${file}: ${quoted(other)} and ${quoted(key)} are both the ${reading.role} part of ${reading.path}; keep one.`,
        );
      }
      roles.set(reading.role, key);
      found.set(module, roles);
      votes.set(reading.dialect, (votes.get(reading.dialect) ?? 0) + 1);
    }
  }
  const modules = modelParts.flatMap((part) =>
    (parts[part] ?? []).flatMap((model) => {
      const roles = found.get(`${part} ${model.path}`);
      return roles === undefined ? [] : [{ part, model, keys: roles }];
    }),
  );
  const [winner] = [...votes].sort(([, a], [, b]) => b - a);
  return { modules, dialect: winner?.[0], unmatched, leftOver };
}

/** A key as errors quote it: cut where it is very long, and with nothing that would upset a terminal. */
export function quoted(key: string): string {
  return `"${printableKey(key)}"`;
}

/**
 * A name out of somebody else's file: without its middle where it is very long, as both ends tell something, and with escapes
 * for what would upset a terminal or turn the direction of writing.
 */
export function printableKey(name: string): string {
  return JSON.stringify(name.length <= 120 ? name : `${name.slice(0, 77)}...${name.slice(-40)}`)
    .slice(1, -1)
    .replace(unprintable, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const unprintable = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

function makeReader(dialect: Dialect, parts: PartModules): Reader {
  const byLength = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => b.length - a.length;
  const given = modelParts.filter((part) => parts[part] !== undefined);
  return {
    dialect,
    spellings: new Map(given.map((part) => [part, dialect.spell(parts[part] ?? [], part)])),
    beginnings: modelParts
      .flatMap((part) => (dialect.beginnings[part] ?? []).map((text) => [text, part] as const))
      .sort(byLength),
    endings: Object.entries(dialect.endings).sort(byLength),
  };
}

interface ReadKey {
  readonly part: ModelPart;
  readonly path: string;
  readonly role: AdapterRole;
  readonly dialect: string;
}

function readKey(key: string, parts: PartModules, readers: readonly Reader[]): ReadKey | "unmatched" | "leftOver" {
  let otherwise: "unmatched" | "leftOver" = "leftOver";
  let told = -1;
  for (const { dialect, spellings, beginnings, endings } of readers) {
    const plain = dialect.canonical?.(key) ?? key;
    const ending = endings.find(([text]) => plain.endsWith(text));
    if (ending === undefined) continue;
    const [endingText, role] = ending;
    const stem = plain.slice(0, -endingText.length);
    const fitting = beginnings.filter(([text]) => stem.startsWith(text));
    for (const [text, part] of fitting) {
      const path = spellings.get(part)?.get(stem.slice(text.length));
      if (path !== undefined) return { part, path, role, dialect: dialect.name };
    }
    // The longest beginning of all dialects tells which part the key speaks of.
    const [beginning, part] = fitting[0] ?? ["", undefined];
    if (part !== undefined && beginning.length > told) {
      told = beginning.length;
      otherwise = parts[part] === undefined ? "leftOver" : "unmatched";
    }
  }
  return otherwise;
}
