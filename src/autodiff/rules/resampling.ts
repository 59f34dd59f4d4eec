import { sumPool, upsample } from "../../graph/ops/resampling.ts";
import { whole } from "../broadcast.ts";
import type { Rule } from "../rule.ts";

export const upsampleRule: Rule<"upsample"> = (g, { outputs: [y] }) => [sumPool(whole(g, y!.shape))];
export const sumPoolRule: Rule<"sumPool"> = (g, { outputs: [y] }) => [upsample(whole(g, y!.shape))];
