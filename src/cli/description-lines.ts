import type { LoraDescription, TensorsDescription } from "../node/inspect-file.ts";
import type { ModelDescription, PartDescription } from "../node/inspect-model.ts";

/** What a picture was made with, as far as it says. */
export interface PictureDescription {
  readonly kind: "picture";
  readonly name: string;
  readonly prompt: string;
  readonly negativePrompt: string;
  readonly settings: Readonly<Record<string, string>>;
}

/** What `fourstep inspect` can describe. */
export type Description = ModelDescription | LoraDescription | TensorsDescription | PictureDescription;

/** Keys of a list that are written out; the others are counted. */
const shownKeys = 3;

/** A description for people, one fact a line. */
export function descriptionLines(description: Description): readonly string[] {
  switch (description.kind) {
    case "model":
      return modelLines(description);
    case "lora":
      return loraLines(description);
    case "tensors": {
      const { name, tensors, parameters, types } = description;
      return [
        `${name}: safetensors file, no LoRA`,
        `tensors     ${tensors}`,
        `parameters  ${grouped(parameters)}`,
        `types       ${types.join(", ")}`,
      ];
    }
    case "picture":
      return pictureLines(description);
  }
}

function modelLines({ name, family, pipeline, parts, parameters }: ModelDescription): string[] {
  return [
    `${name}: model (${pipeline})`,
    `family      ${family}`,
    `parameters  ${grouped(parameters)}`,
    ...parts.flatMap(partLines),
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
  const lines = [
    `${lora.name}: LoRA for ${lora.family}`,
    `dialect     ${lora.dialect}`,
    `modules     ${lora.modules}`,
    `parameters  ${grouped(lora.parameters)}`,
    `rank        ${lora.rank}, alpha ${lora.alpha}`,
    `unmatched   ${lora.unmatched.length === 0 ? "none" : keys(lora.unmatched)}`,
  ];
  if (lora.leftOver.length > 0) lines.push(`other parts ${keys(lora.leftOver)}`);
  return lines;
}

function pictureLines({ name, prompt, negativePrompt, settings }: PictureDescription): string[] {
  const entries = Object.entries(settings);
  if (prompt === "" && entries.length === 0) return [`${name}: PNG picture that does not say how it was made`];
  const lines = [`${name}: PNG picture`, `prompt      ${prompt}`];
  if (negativePrompt !== "") lines.push(`negative    ${negativePrompt}`);
  return [...lines, ...entries.map(([key, value]) => `${`${key} `.padEnd(12)}${value}`)];
}

function keys(names: readonly string[]): string {
  const shown = names.slice(0, shownKeys).join(", ");
  return names.length > shownKeys ? `${names.length}: ${shown}, …` : `${names.length}: ${shown}`;
}

function grouped(number: number): string {
  return number.toLocaleString("en-US");
}
