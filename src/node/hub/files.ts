import { UsageError } from "../../errors.ts";

/** Which stored form of the weights is preferred: the author's main one, or a variant such as `fp16`. */
export type WeightVariant = string | undefined;

/** Parts of a model that are used, if the repository has them. */
const parts = ["unet", "vae", "text_encoder", "text_encoder_2"] as const;

const tokenizerFile =
  /^tokenizer(_2)?\/(vocab\.json|merges\.txt|special_tokens_map\.json|tokenizer_config\.json|tokenizer\.json)$/;

const stems = "(?:diffusion_pytorch_model|model|pytorch_model)";

/** Weight files of a part, safest form first; pieces come with their index. */
function weightForms(variant: WeightVariant): readonly RegExp[] {
  const mark = variant === undefined ? "" : `\\.${variant.replace(/[^\w-]/g, "")}`;
  return ["safetensors", "bin"].flatMap((type) => [
    new RegExp(`^${stems}${mark}\\.${type}$`),
    new RegExp(
      `^${stems}(?:${mark}-\\d{5}-of-\\d{5}\\.${type}|-\\d{5}-of-\\d{5}${mark}\\.${type}|\\.${type}\\.index${mark}\\.json)$`,
    ),
  ]);
}

/** Files of a repository that make one model. */
export interface ModelFiles {
  readonly kind: "folder" | "file";
  /** Paths in the repository; of kind `file` there is one. */
  readonly files: readonly string[];
}

/**
 * Chooses what is needed of a model's repository: of a diffusers folder the configurations, tokenizers and one form of each
 * part's weights (safetensors before pickles), else its only checkpoint.
 * @throws UsageError when there is no model, no weights of the variant, or several checkpoints
 */
export function chooseModelFiles(repo: string, paths: readonly string[], variant: WeightVariant): ModelFiles {
  if (!paths.includes("model_index.json")) return { kind: "file", files: [onlyCheckpoint(repo, paths)] };
  const small = paths.filter(
    (path) =>
      path === "model_index.json" ||
      path === "scheduler/scheduler_config.json" ||
      tokenizerFile.test(path) ||
      parts.some((part) => path === `${part}/config.json`),
  );
  const present = parts.filter((part) => small.includes(`${part}/config.json`));
  const wanted = present.map((part) => weightsOf(paths, part, weightForms(variant)));
  if (variant !== undefined && wanted.every((files) => files.length === 0)) {
    throw new UsageError(`${repo}: no part has weights of the variant "${variant}"; leave --variant out.`);
  }
  const weights = present.flatMap((part, i) => {
    const own = wanted[i]!;
    if (own.length > 0) return own;
    const other = [undefined, "fp16", "non_ema"].map((form) => weightsOf(paths, part, weightForms(form)));
    return other.find((files) => files.length > 0) ?? [];
  });
  return { kind: "folder", files: [...small, ...weights] };
}

/**
 * Chooses what is needed of an autoencoder's repository: its configuration and one form of its weights, at the root or in
 * `vae` of a whole model, else its only file of weights.
 * @throws UsageError when there is none, or several
 */
export function chooseAutoencoderFiles(repo: string, paths: readonly string[]): ModelFiles & { readonly part: string } {
  for (const part of ["", "vae"]) {
    const at = part === "" ? "" : `${part}/`;
    if (!paths.includes(`${at}config.json`)) continue;
    const weights = weightsOf(paths, part, weightForms(undefined));
    if (weights.length > 0) return { kind: "folder", part, files: [`${at}config.json`, ...weights] };
  }
  const [first, ...others] = paths.filter(isRootFile("safetensors"));
  if (first !== undefined && others.length === 0) return { kind: "file", part: "", files: [first] };
  throw new UsageError(
    `${repo}: there is neither an autoencoder's config.json with weights nor a single file of weights in this repository.`,
  );
}

/**
 * The file of a LoRA's repository: that which diffusers writes, or the only one.
 * @throws UsageError when there is none, or several
 */
export function chooseLoraFile(repo: string, paths: readonly string[]): string {
  const usual = "pytorch_lora_weights.safetensors";
  return paths.includes(usual) ? usual : onlyOne(repo, "LoRA", paths.filter(isRootFile("safetensors")));
}

function onlyCheckpoint(repo: string, paths: readonly string[]): string {
  const safe = paths.filter(isRootFile("safetensors"));
  return onlyOne(repo, "checkpoint", safe.length > 0 ? safe : paths.filter(isRootFile("ckpt")));
}

function onlyOne(repo: string, what: string, files: readonly string[]): string {
  const [first, ...others] = files;
  if (first === undefined) {
    throw new UsageError(`${repo}: there is neither a model_index.json nor a ${what} file in this repository.`);
  }
  if (others.length > 0) {
    const names = files.slice(0, 4).join(", ");
    throw new UsageError(`${repo}: there are ${files.length} files (${names}); name one of them, as ${repo}/${first}.`);
  }
  return first;
}

function isRootFile(extension: string): (path: string) => boolean {
  return (path) => !path.includes("/") && path.endsWith(`.${extension}`);
}

function weightsOf(paths: readonly string[], part: string, forms: readonly RegExp[]): readonly string[] {
  const at = part === "" ? "" : `${part}/`;
  const inside = paths.filter((path) => path.startsWith(at));
  for (const form of forms) {
    const files = inside.filter((path) => form.test(path.slice(at.length)));
    if (files.some((path) => !path.endsWith(".json"))) return files;
  }
  return [];
}
