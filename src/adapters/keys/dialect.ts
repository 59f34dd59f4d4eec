import type { ModuleShape } from "../targets.ts";

/** The part of a pipeline that a key speaks of. */
export type ModelPart = "unet" | "textEncoder" | "textEncoder2";

/** What a tensor is in its module. */
export type LoraRole = "down" | "up" | "alpha";

/** A way in which programs name the tensors of a LoRA: a key is a beginning, a module as the dialect spells it, an ending. */
export interface Dialect {
  readonly name: string;
  /** Who writes it. */
  readonly writtenBy: string;
  readonly beginnings: Readonly<Record<string, ModelPart>>;
  readonly endings: Readonly<Record<string, LoraRole>>;
  /** How the dialect spells the modules of a model: spelling to path. A module may have several spellings. */
  readonly spell: (modules: readonly ModuleShape[]) => ReadonlyMap<string, string>;
}

/** The spellings of a dialect that spells each module by a rule, whatever the others are. */
export function spellEach(
  ...rules: ((path: string) => string | undefined)[]
): (modules: readonly ModuleShape[]) => ReadonlyMap<string, string> {
  return (modules) => {
    const spellings = new Map<string, string>();
    for (const rule of rules) {
      for (const { path } of modules) {
        const spelling = rule(path);
        if (spelling !== undefined && !spellings.has(spelling)) spellings.set(spelling, path);
      }
    }
    return spellings;
  };
}
