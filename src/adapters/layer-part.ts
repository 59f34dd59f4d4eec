import { UsageError } from "../errors.ts";

/** Short names for steps of a path; each stands for any of these. */
const shortNames: Readonly<Record<string, readonly string[]>> = {
  down: ["down_blocks"],
  mid: ["mid_block"],
  up: ["up_blocks"],
  attention: ["attentions"],
  resnet: ["resnets"],
  samplers: ["downsamplers", "upsamplers"],
};

/**
 * The layers whose path has a part: steps of the path that follow each other, such as `up_blocks.1.attentions`, `resnets` or
 * `attn2.to_k`. Short for `down_blocks` is `down`, and so are `mid` and `up`; `samplers` are those of both sides, `all` is
 * every layer.
 * @throws UsageError when no path has it
 */
export function layersOfPart(part: string, paths: readonly string[]): string[] {
  if (part === "all") return [...paths];
  const wanted = part.split(".").map((step) => (Object.hasOwn(shortNames, step) ? shortNames[step]! : [step]));
  const found = paths.filter((path) => {
    const steps = path.split(".");
    return steps.some((_, start) => wanted.every((names, i) => names.includes(steps[start + i] ?? "")));
  });
  if (found.length > 0) return found;
  throw new UsageError(
    `"${part}" is in no layer's name; write such as down, mid, up.1, attentions, resnets, samplers, attn2.to_k, text or all.`,
  );
}
