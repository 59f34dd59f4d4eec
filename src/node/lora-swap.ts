import type { ChosenAdapter } from "../generate/chosen-loras.ts";
import { adapterSwap, type LoraSwap } from "../generate/lora-swap.ts";
import type { Networks } from "../generate/networks.ts";
import type { OpenedModel } from "./open-model.ts";
import { readLora } from "./read-lora.ts";

export type { LoraSwap };

/**
 * Exchanges LoRAs of files.
 * @param networks of the opened model, created from it with `adapters` (`adaptedModel`)
 * @example
 * ```ts
 * const opened = await openModel("models/fourstep-64");
 * const networks = createNetworks(onnxRuntime(), await adaptedModel(opened, []));
 * const loras = loraSwap(opened, networks);
 * await loras.use([{ path: "lcm-lora.safetensors", weight: 1 }, { path: "style-ink.safetensors", weight: 0.8 }]);
 * ```
 */
export function loraSwap(
  opened: OpenedModel,
  networks: Pick<Networks, "replaceUNet" | "replaceTextEncoders">,
  adapters: readonly ChosenAdapter[] = [],
): LoraSwap {
  return adapterSwap(opened, networks, readLora, adapters);
}
