/** Names that differ, in the first code of the autoencoder, from diffusers': a table from whole pieces of paths. */
const middleNames: Readonly<Record<string, string>> = {
  "resnets.0": "block_1",
  "resnets.1": "block_2",
  "attentions.0.group_norm": "attn_1.norm",
  "attentions.0.to_q": "attn_1.q",
  "attentions.0.to_k": "attn_1.k",
  "attentions.0.to_v": "attn_1.v",
  "attentions.0.to_out.0": "attn_1.proj_out",
};

/**
 * The names that Stable Diffusion's first code gives to an autoencoder's layers, by diffusers' paths. The decoder's levels
 * are counted from the picture inwards there, `decoder.up.0` being the last; `levels` is their number.
 */
export function originalAutoencoderPath(path: string, levels: number): string {
  const middle = /^(encoder|decoder)\.mid_block\.(.+)$/.exec(path);
  if (middle !== null) {
    const [, half, rest = ""] = middle;
    const piece = Object.keys(middleNames).find((known) => rest === known || rest.startsWith(`${known}.`));
    return `${half}.mid.${piece === undefined ? rest : middleNames[piece] + rest.slice(piece.length)}`;
  }
  const block = /^(?:encoder\.down|decoder\.up)_blocks\.(\d+)\.(resnets|downsamplers|upsamplers)\.(\d+)\.(.+)$/.exec(
    path,
  );
  if (block !== null) {
    const [, number, group, layer, rest = ""] = block;
    const inwards = path.startsWith("encoder");
    const level = inwards ? `encoder.down.${number}` : `decoder.up.${levels - 1 - Number(number)}`;
    if (group !== "resnets") return `${level}.${inwards ? "downsample" : "upsample"}.${rest}`;
    return `${level}.block.${layer}.${rest === "conv_shortcut" ? "nin_shortcut" : rest}`;
  }
  return path.replace(/^(encoder|decoder)\.conv_norm_out$/, "$1.norm_out");
}
