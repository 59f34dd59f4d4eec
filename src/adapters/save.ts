import { AdapterError } from "../errors.ts";
import { encodeSafetensors } from "../formats/safetensors.ts";
import { allFinite } from "../tensor/arithmetic.ts";
import { fromFloat32, toFloat32 } from "../tensor/convert.ts";
import { float32, type Tensor } from "../tensor/tensor.ts";
import { type LoraModule, loraWeightShape } from "./lora.ts";

/** How an adapter is written. */
export interface SaveOptions {
  readonly type: "float16" | "bfloat16" | "float32";
  /** Beside `format: pt`, which other programs look for. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Modules of the text encoders, in their order; none unless told. */
  readonly textEncoders?: readonly (readonly LoraModule[])[];
}

export const defaultSaveOptions: SaveOptions = { type: "float16", metadata: {} };

/**
 * An adapter as the published LCM-LoRAs are: `lora_unet_<path with underscores>` with `.lora_down.weight`,
 * `.lora_up.weight` and a scalar `.alpha`, in float16 unless told. Text encoders' modules begin with `lora_te_`, or, where
 * there are two encoders, with `lora_te1_` and `lora_te2_`.
 * @throws AdapterError when a module's parts do not fit each other, two paths are spelled alike, or a number is beyond
 * float16.
 */
export function saveAdapter(
  modules: readonly LoraModule[],
  options: SaveOptions = defaultSaveOptions,
): Uint8Array<ArrayBuffer> {
  const { textEncoders = [] } = options;
  const tensors = new Map<string, Tensor>();
  addModules(tensors, "lora_unet_", modules, options);
  for (const [index, encoder] of textEncoders.entries()) {
    addModules(tensors, textEncoders.length > 1 ? `lora_te${index + 1}_` : "lora_te_", encoder, options);
  }
  return encodeSafetensors(tensors, { ...options.metadata, format: "pt" });
}

function addModules(
  tensors: Map<string, Tensor>,
  beginning: string,
  modules: readonly LoraModule[],
  options: SaveOptions,
): void {
  for (const module of modules) {
    loraWeightShape(module);
    const { path, down, up, alpha } = module;
    const stem = `${beginning}${path.replaceAll(".", "_")}`;
    if (tensors.has(`${stem}.alpha`)) throw new AdapterError(`${path}: another module is also written as "${stem}".`);
    tensors.set(`${stem}.lora_down.weight`, stored(path, "down part", down, options));
    tensors.set(`${stem}.lora_up.weight`, stored(path, "up part", up, options));
    // bfloat16 rounds whole numbers above 256, which would change the module's scale.
    const type = options.type === "bfloat16" ? "float32" : options.type;
    tensors.set(`${stem}.alpha`, stored(path, "alpha", float32([], [alpha]), { type }));
  }
}

function stored(path: string, what: string, tensor: Tensor, { type }: Pick<SaveOptions, "type">): Tensor {
  const values = tensor.type === type ? tensor : fromFloat32(toFloat32(tensor), type);
  if (allFinite(toFloat32(values))) return values;
  throw new AdapterError(`${path}: a number of its ${what} is not finite as ${type}; the adapter cannot be saved so.`);
}
