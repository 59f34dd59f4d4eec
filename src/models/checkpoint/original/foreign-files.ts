/** Kinds of files that people take for a Stable Diffusion checkpoint, by a key that only they have. */
const foreign: readonly { readonly key: RegExp; readonly what: string }[] = [
  { key: /^edm_(mean|std)$/, what: "Playground v2.5, whose noise is not Stable Diffusion's" },
  { key: /^edm_vpred\./, what: "a model of prediction in the EDM formulation" },
  { key: /(^|\.)joint_blocks\.0\./, what: "Stable Diffusion 3" },
  { key: /(^|\.)double_blocks\.0\./, what: "a Flux model" },
  { key: /^control_model\.|(^|\.)input_hint_block\./, what: "a ControlNet" },
  { key: /^model\.diffusion_model\..*\.time_stack\.|motion_modules\./, what: "a model of moving pictures" },
];

/** What a file is that only looks like a model of Stable Diffusion; undefined when nothing speaks for another kind. */
export function foreignKind(keys: Iterable<string>): string | undefined {
  for (const key of keys) for (const { key: pattern, what } of foreign) if (pattern.test(key)) return what;
  return undefined;
}
