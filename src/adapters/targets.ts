import type { ModelTable } from "../models/module-table.ts";

/** A layer of a model that an adapter may change; what it is called and shaped in diffusers. */
export interface ModuleShape {
  /** Dotted path, e.g. `down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q`. */
  readonly path: string;
  readonly kind: "linear" | "conv" | "norm";
  /** `[out, in]`, or `[out, in, height, width]` of a convolution, or `[width]` of a normalisation. */
  readonly weight: readonly number[];
}

/** All layers of a model that adapters may change: linear layers, convolutions and normalisations. */
export function adaptableLayers({ modules, parameters }: ModelTable): readonly ModuleShape[] {
  const known = new Set(modules.map(({ path }) => path));
  const norms = parameters.flatMap(({ name, shape }): ModuleShape[] => {
    const path = name.endsWith(suffix) ? name.slice(0, -suffix.length) : undefined;
    return path === undefined || shape.length !== 1 || known.has(path) ? [] : [{ path, kind: "norm", weight: shape }];
  });
  return [...modules, ...norms];
}

const suffix = ".weight";

/** The fourteen kinds of layer of a U-Net that LCM-LoRA adapts: all but the first and last convolution and the embeddings. */
export const lcmLoraTargets = [
  "to_q",
  "to_k",
  "to_v",
  "to_out.0",
  "proj_in",
  "proj_out",
  "ff.net.0.proj",
  "ff.net.2",
  "conv1",
  "conv2",
  "conv_shortcut",
  "downsamplers.0.conv",
  "upsamplers.0.conv",
  "time_emb_proj",
] as const;

/** The kind whose name ends a path, at a dot; undefined when none does. */
export function targetKind(path: string, kinds: readonly string[] = lcmLoraTargets): string | undefined {
  return kinds.find((kind) => path === kind || path.endsWith(`.${kind}`));
}

/** The layers of a model that are of one of the kinds, in the model's order. */
export function targetModules<M extends { readonly path: string }>(
  modules: readonly M[],
  kinds: readonly string[] = lcmLoraTargets,
): M[] {
  return modules.filter(({ path }) => targetKind(path, kinds) !== undefined);
}
