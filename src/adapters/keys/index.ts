import { cloneofsimo } from "./cloneofsimo.ts";
import type { Dialect } from "./dialect.ts";
import { diffusers } from "./diffusers.ts";
import { diffusersOld } from "./diffusers-old.ts";
import { kohya } from "./kohya.ts";
import { peft } from "./peft.ts";

/** All dialects that are read; a key belongs to the first that spells it. */
export const dialects: readonly Dialect[] = [
  kohya, //
  peft,
  diffusers,
  diffusersOld,
  cloneofsimo,
];
