import type { SettledRequest } from "../schemas/draw-request.ts";

/**
 * What two drawings must have in common to be drawn in one network call; undefined for a drawing that begins with a picture.
 * Prompts and seeds are each picture's own.
 */
export function batchKeyOf(request: SettledRequest): string | undefined {
  if (request.init !== undefined) return undefined;
  const { model, loras, lcm, sampler, steps, guidance, size, clipSkip, promptSyntax, prompt, negative } = request;
  // A tag in a prompt changes the network, so only prompts with the same tags go together.
  const tags = prompt.match(/<[^<>]*>/g) ?? [];
  const guided = guidance === undefined || guidance > 1;
  return JSON.stringify([
    model,
    loras,
    lcm,
    sampler,
    steps,
    guidance,
    size,
    clipSkip,
    promptSyntax,
    tags,
    guided && negative,
  ]);
}
