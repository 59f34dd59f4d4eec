import { CheckpointError } from "../../../errors.ts";
import { field, parseJsonObject } from "../../../formats/json.ts";
import { loadClipTokenizer } from "../../tokenizer/clip-tokenizer.ts";
import type { TokenizerFiles } from "../../tokenizer/tokenizer-files.ts";
import type { DiffusersModel, TokenizerPart } from "../diffusers-folder.ts";
import type { OriginalModel } from "./read-original.ts";

/** What people call the parts. */
const partNames: Readonly<Record<string, string>> = {
  unet: "U-Net",
  vae: "autoencoder",
  text_encoder: "text encoder",
  text_encoder_2: "second text encoder",
};

/**
 * A model of one file, made whole by a tokenizer, which no such file holds.
 * @param tokenizer files of CLIP's; each text encoder gets the padding that its family was trained with
 * @param replaced names of parts, as diffusers has them, that the caller puts others in place of
 * @throws CheckpointError naming the part and a key, when the file lacks one
 */
export function wholeModel(
  model: OriginalModel,
  tokenizer: TokenizerFiles,
  replaced: readonly string[] = [],
): DiffusersModel {
  for (const [part, keys] of model.missing) {
    if (replaced.includes(part)) continue;
    const others = keys.length === 1 ? "" : ` and ${keys.length - 1} others`;
    throw new CheckpointError(
      `${model.name}: the file lacks tensors of the ${partNames[part] ?? part}: "${keys[0]}"${others}; a whole checkpoint of ${model.family.name} is needed.`,
    );
  }
  const [first, second] = model.family.textEncoders;
  const { second: secondPart, ...parts } = model;
  return {
    ...parts,
    ...padded(tokenizer, first.padToken),
    ...(second === undefined || secondPart === undefined
      ? {}
      : { second: { ...secondPart, ...padded(tokenizer, second.padToken) } }),
  };
}

/** The tokenizer, with another token to fill texts up. */
function padded(files: TokenizerFiles, padToken: string | undefined): TokenizerPart {
  const name = "tokenizer_config.json";
  const text = files[name];
  const settings = text === undefined ? {} : parseJsonObject(text, name);
  const changed = padToken !== undefined && field(settings, "pad_token") !== padToken;
  const tokenizerFiles = changed ? { ...files, [name]: JSON.stringify({ ...settings, pad_token: padToken }) } : files;
  return { tokenizer: loadClipTokenizer(tokenizerFiles), tokenizerFiles };
}
