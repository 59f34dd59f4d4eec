/**
 * What a strength below 1 does to the steps that a user asks for. `keep` draws in all of them, spread over the part of the
 * noise that the strength leaves; `cut` plans them over all of the noise and draws in the last ones, floor(steps x strength)
 * of them but at least one, as diffusers' image-to-image does.
 */
export type StrengthRule = "keep" | "cut";

export const strengthRules: readonly StrengthRule[] = ["keep", "cut"];
