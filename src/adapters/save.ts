import { AdapterError } from "../errors.ts";
import { encodeSafetensors } from "../formats/safetensors.ts";
import { allFinite } from "../tensor/arithmetic.ts";
import { fromFloat32, toFloat32 } from "../tensor/convert.ts";
import { float32, type Tensor } from "../tensor/tensor.ts";
import { type LoraModule, loraWeightShape } from "./lora.ts";

/** How an adapter is written. */
export interface SaveOptions {
  readonly type: "float16" | "float32";
  /** Beside `format: pt`, which other programs look for. */
  readonly metadata: Readonly<Record<string, string>>;
}

export const defaultSaveOptions: SaveOptions = { type: "float16", metadata: {} };

/**
 * An adapter as the published LCM-LoRAs are: `lora_unet_<path with underscores>` with `.lora_down.weight`,
 * `.lora_up.weight` and a scalar `.alpha`, in float16 unless told.
 * @throws AdapterError when a module's parts do not fit each other, two paths are spelled alike, or a number is beyond
 * float16.
 */
export function saveAdapter(
  modules: readonly LoraModule[],
  options: SaveOptions = defaultSaveOptions,
): Uint8Array<ArrayBuffer> {
  const tensors = new Map<string, Tensor>();
  for (const module of modules) {
    loraWeightShape(module);
    const { path, down, up, alpha } = module;
    const stem = `lora_unet_${path.replaceAll(".", "_")}`;
    if (tensors.has(`${stem}.alpha`)) throw new AdapterError(`${path}: another module is also written as "${stem}".`);
    tensors.set(`${stem}.lora_down.weight`, stored(path, "down part", down, options));
    tensors.set(`${stem}.lora_up.weight`, stored(path, "up part", up, options));
    tensors.set(`${stem}.alpha`, stored(path, "alpha", float32([], [alpha]), options));
  }
  return encodeSafetensors(tensors, { ...options.metadata, format: "pt" });
}

function stored(path: string, what: string, tensor: Tensor, { type }: SaveOptions): Tensor {
  const values = tensor.type === type ? tensor : fromFloat32(toFloat32(tensor), type);
  if (allFinite(toFloat32(values))) return values;
  throw new AdapterError(`${path}: a number of its ${what} is not finite as ${type}; the adapter cannot be saved so.`);
}
