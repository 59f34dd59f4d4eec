import { InvalidArgumentError } from "commander";
import { type NamedSampler, samplerNamed, samplerNames } from "../samplers/names.ts";

/** Reads an option's whole number within bounds. */
export function wholeNumber(lowest: number, highest: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (text.trim() !== "" && Number.isInteger(number) && number >= lowest && number <= highest) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${lowest} to ${highest}.`);
  };
}

/** Reads an option's number within bounds. */
export function numberWithin(lowest: number, highest: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (text.trim() !== "" && number >= lowest && number <= highest) return number;
    throw new InvalidArgumentError(`It must be a number from ${lowest} to ${highest}.`);
  };
}

/** Gathers the values of an option that may be given more than once. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** Reads `WIDTHxHEIGHT`, or one number for a square. */
export function pictureSize(text: string): { readonly width: number; readonly height: number } {
  const [, width, height = width] = /^(\d{1,5})(?:x(\d{1,5}))?$/i.exec(text) ?? [];
  if (width === undefined || height === undefined) {
    throw new InvalidArgumentError("It must be WIDTHxHEIGHT in pixels, such as 64x64.");
  }
  return { width: Number(width), height: Number(height) };
}

/** Reads a sampler's name, its own or another program's. */
export function samplerChoice(text: string): NamedSampler {
  const named = samplerNamed(text);
  if (named !== undefined) return named;
  throw new InvalidArgumentError(`Samplers are ${samplerNames.join(", ")}.`);
}
