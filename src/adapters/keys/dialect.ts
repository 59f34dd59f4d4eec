import type { ModuleShape } from "../targets.ts";

/** The part of a pipeline that a key speaks of. */
export type ModelPart = "unet" | "textEncoder" | "textEncoder2";

/** All parts that adapters change. */
export const modelParts: readonly ModelPart[] = ["unet", "textEncoder", "textEncoder2"];

/** What a tensor is in its module, whatever the dialect calls it. */
export type AdapterRole =
  | "down"
  | "mid"
  | "up"
  | "upBias"
  | "alpha"
  | "magnitude"
  | "doraScale"
  | "hadamard1A"
  | "hadamard1B"
  | "hadamard1Core"
  | "hadamard2A"
  | "hadamard2B"
  | "hadamard2Core"
  | "kronecker1"
  | "kronecker1A"
  | "kronecker1B"
  | "kronecker2"
  | "kronecker2A"
  | "kronecker2B"
  | "kronecker2Core"
  | "difference"
  | "biasDifference"
  | "normWeight"
  | "normBias"
  | "rotations"
  | "rotationVectors"
  | "rescale"
  | "factor"
  | "factorOnInput"
  | "gloraA1"
  | "gloraA2"
  | "gloraB1"
  | "gloraB2"
  | "gloraMid";

/** A way in which programs name the tensors of a LoRA: a key is a beginning, a module as the dialect spells it, an ending. */
export interface Dialect {
  readonly name: string;
  /** Who writes it. */
  readonly writtenBy: string;
  /** What keys of each part begin with. */
  readonly beginnings: Readonly<Partial<Record<ModelPart, readonly string[]>>>;
  readonly endings: Readonly<Record<string, AdapterRole>>;
  /** How the dialect spells the modules of a part of a model: spelling to path. A module may have several spellings. */
  readonly spell: (modules: readonly ModuleShape[], part: ModelPart) => ReadonlyMap<string, string>;
  /** A key without what may be anything, such as a name that was given to the adapter; as it is unless told. */
  readonly canonical?: (key: string) => string;
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

/** A text encoder's path as transformers has had it since version 5: without its first step. */
export function withoutTextModel(path: string): string | undefined {
  const step = "text_model.";
  return path.startsWith(step) ? path.slice(step.length) : undefined;
}
