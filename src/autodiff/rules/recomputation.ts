import type { Rule } from "../rule.ts";

/** A barrier delays and changes nothing. */
export const barrierRule: Rule<"barrier"> = (g) => [g, undefined];
