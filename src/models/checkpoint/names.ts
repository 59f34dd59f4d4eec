/** The parts of a model whose files bear names of several generations. */
export type PartKind = "unet" | "autoencoder" | "text-encoder";

interface Renaming {
  readonly from: RegExp;
  readonly to: string;
}

/** Names that older or newer files use, and what diffusers' and transformers' models are called here. */
const renamings: Readonly<Record<PartKind, readonly Renaming[]>> = {
  unet: [],
  // The autoencoder's attention had names of its own until 2023; the published Stable Diffusion 1.5 still has them.
  autoencoder: [
    { from: /(\.mid_block\.attentions\.\d+)\.query\./, to: "$1.to_q." },
    { from: /(\.mid_block\.attentions\.\d+)\.key\./, to: "$1.to_k." },
    { from: /(\.mid_block\.attentions\.\d+)\.value\./, to: "$1.to_v." },
    { from: /(\.mid_block\.attentions\.\d+)\.proj_attn\./, to: "$1.to_out.0." },
  ],
  // transformers 5 dropped the prefix that all published text encoders have.
  "text-encoder": [{ from: /^(embeddings|encoder|final_layer_norm)\./, to: "text_model.$1." }],
};

/** Tensors that files hold and models compute: they are no parameters. */
const computed: ReadonlySet<string> = new Set(["text_model.embeddings.position_ids"]);

/** The name that a model asks for, given the name in a file. */
export function diffusersName(kind: PartKind, name: string): string {
  const renaming = renamings[kind].find(({ from }) => from.test(name));
  return renaming === undefined ? name : name.replace(renaming.from, renaming.to);
}

/** Whether a tensor's absence or presence says nothing. */
export function isComputed(name: string): boolean {
  return computed.has(name);
}
