import { printableKey } from "../adapters/keys/match.ts";
import type { BarePartDescription, FileDescription } from "../node/inspect-file.ts";
import type { LoraDescription } from "../node/inspect-lora.ts";
import type { ModelDescription } from "../node/inspect-model.ts";
import type { PartDescription } from "../node/inspect-part.ts";

/** What a picture was made with, as far as it says. */
export interface PictureDescription {
  readonly kind: "picture";
  readonly name: string;
  readonly prompt: string;
  readonly negativePrompt: string;
  readonly settings: Readonly<Record<string, string>>;
}

/** What `fourstep inspect` can describe. */
export type Description = FileDescription | PictureDescription;

/** Keys of a list that are written out; the others are counted. */
const shownKeys = 3;

/** A description for people, one fact a line. */
export function descriptionLines(description: Description): readonly string[] {
  switch (description.kind) {
    case "model":
      return modelLines(description);
    case "lora":
      return loraLines(description);
    case "part":
      return barePartLines(description);
    case "tensors": {
      const { name, format, tensors, parameters, types } = description;
      return [
        `${name}: tensors of no known model (${format})`,
        `tensors     ${tensors}`,
        `parameters  ${grouped(parameters)}`,
        `types       ${types.join(", ")}`,
      ];
    }
    case "picture":
      return pictureLines(description);
  }
}

function modelLines(model: ModelDescription): string[] {
  const { name, family, layout, pipeline, prediction, parts, parameters, leftOver, unneeded } = model;
  const lines = [
    `${name}: model (${pipeline})`,
    `family      ${family}`,
    `layout      ${layout === "diffusers" ? "folder of diffusers" : "one file in the original names"}`,
    `predicts    ${prediction === "v_prediction" ? "v" : prediction === "epsilon" ? "noise (epsilon)" : prediction}`,
    `parameters  ${grouped(parameters)}`,
    ...parts.flatMap(partLines),
  ];
  if (leftOver.length > 0) lines.push(`left over   ${keys(leftOver)}`);
  if (unneeded > 0) lines.push(`not needed  ${unneeded} tensors: averages, or numbers of the training`);
  return lines;
}

function barePartLines({ name, part, family, layout, ...rest }: BarePartDescription): string[] {
  const [first = "", ...faults] = partLines({ ...rest, name: part });
  return [
    `${name}: part of a model`,
    `family      ${family}`,
    `names       ${layout === "diffusers" ? "diffusers'" : "the original ones"}`,
    first,
    ...faults,
  ];
}

function partLines(part: PartDescription): string[] {
  const lines = [
    `${part.name.padEnd(12)} ${part.class}, ${grouped(part.parameters)} parameters, ${part.types.join(", ")}`,
  ];
  if (part.missing.length > 0) lines.push(`  missing   ${keys(part.missing)}`);
  if (part.leftOver.length > 0) lines.push(`  left over ${keys(part.leftOver)}`);
  return lines;
}

function loraLines(lora: LoraDescription): string[] {
  const { name, family, dialect, kinds, modules, parts, parameters, acceleration, words, zero } = lora;
  const inParts = Object.entries(parts).map(([part, count]) => `${part} ${count}`);
  const kindsLine = kinds.filter((kind) => kind !== "bias").join(", ");
  const lines = [
    `${name}: ${kindsLine === "" ? "LoRA" : kindsLine} for ${family}`,
    ...(acceleration === undefined ? [] : [`accelerates ${acceleration}`]),
    `dialect     ${dialect}`,
    `modules     ${modules}: ${inParts.join(", ")}`,
    `parameters  ${grouped(parameters)}`,
    ...rankLines(lora),
  ];
  if (words.length > 0) lines.push(`words       ${words.map(printableKey).join(", ")}`);
  if (zero) lines.push("changes     none: all of them are zero");
  lines.push(`unmatched   ${lora.unmatched.length === 0 ? "none" : keys(lora.unmatched)}`);
  if (lora.leftOver.length > 0) lines.push(`left over   ${keys(lora.leftOver)}`);
  return lines;
}

function rankLines({ rank, ranks, alpha }: LoraDescription): string[] {
  if (rank === 0) return [];
  const others = ranks === undefined ? "" : ` (${ranks[0]} to ${ranks[1]})`;
  return [`rank        ${rank}${others}, alpha ${Number(alpha.toPrecision(6))}`];
}

function pictureLines({ name, prompt, negativePrompt, settings }: PictureDescription): string[] {
  const entries = Object.entries(settings);
  if (prompt === "" && entries.length === 0) return [`${name}: PNG picture that does not say how it was made`];
  const lines = [`${name}: PNG picture`, `prompt      ${prompt}`];
  if (negativePrompt !== "") lines.push(`negative    ${negativePrompt}`);
  return [...lines, ...entries.map(([key, value]) => `${`${key} `.padEnd(12)}${value}`)];
}

function keys(names: readonly string[]): string {
  const shown = names.slice(0, shownKeys).map(printableKey).join(", ");
  return names.length > shownKeys ? `${names.length}: ${shown}, …` : `${names.length}: ${shown}`;
}

function grouped(number: number): string {
  return number.toLocaleString("en-US");
}
