import { type Conditioning, encodePrompt } from "../../generate/conditioning.ts";
import type { Model } from "../../generate/model.ts";
import { createNetworks, type Networks } from "../../generate/networks.ts";
import { naturalSize, type Size } from "../../generate/size.ts";
import { textToImage } from "../../generate/text-to-image.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { SamplerName } from "../../samplers/names.ts";
import { createSampler } from "../../samplers/registry.ts";
import type { SamplerChoices } from "../../samplers/request.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { LoraChoice } from "../lora-choice.ts";
import { type LoraSwap, loraSwap } from "../lora-swap.ts";
import { adaptedModel, type OpenedModel } from "../open-model.ts";

/** How a picture is drawn. */
export interface DrawingSetting {
  readonly loras: readonly LoraChoice[];
  readonly sampler: SamplerName;
  readonly choices?: SamplerChoices;
  readonly steps: number;
  readonly guidanceScale: number;
}

/** A picture, and what it took. */
export interface TimedPicture {
  /** `[3, height, width]`, about [-1, 1]. */
  readonly pixels: Tensor<"float32">;
  /** From the prompt to the pixels; an exchange of LoRAs is not counted. */
  readonly seconds: number;
  readonly networkCalls: number;
}

/** Draws one picture after the other with the settings of each. */
export interface Drawer extends AsyncDisposable {
  /** The model without LoRAs, and networks of it for what else is asked of them; their LoRAs change. */
  readonly model: Model;
  readonly size: Size;
  /** @throws DOMException `AbortError` once the signal is aborted, RuntimeFailure when numbers are not finite */
  draw(setting: DrawingSetting, prompt: string, seed: number, signal?: AbortSignal): Promise<TimedPicture>;
  /** The networks without LoRAs. */
  plain(): Promise<Networks>;
}

interface Slot {
  readonly networks: Networks;
  readonly swap: LoraSwap;
  key: string;
  used: number;
}

const keyOf = (loras: readonly LoraChoice[]): string => loras.map(({ path, weight }) => `${path}:${weight}`).join(" ");

/**
 * @param slots how many sets of LoRAs stay compiled side by side; a further one takes the place of that which rested longest
 */
export async function openDrawer(opened: OpenedModel, runtime: Runtime, slots: number): Promise<Drawer> {
  const model = await adaptedModel(opened, []);
  const size = naturalSize(model);
  const kept: Slot[] = [];
  let clock = 0;

  async function slotFor(loras: readonly LoraChoice[]): Promise<Slot> {
    const key = keyOf(loras);
    let slot = kept.find((one) => one.key === key);
    if (slot === undefined) {
      if (kept.length < slots) {
        const networks = createNetworks(runtime, model);
        slot = { networks, swap: loraSwap(opened, networks), key: "", used: 0 };
        kept.push(slot);
      } else slot = kept.reduce((a, b) => (b.used < a.used ? b : a));
      if (slot.key !== key) await slot.swap.use(loras);
      slot.key = key;
    }
    slot.used = ++clock;
    return slot;
  }

  return {
    model,
    size,
    async draw({ loras, sampler: name, choices = {}, steps, guidanceScale }, prompt, seed, signal) {
      const { networks } = await slotFor(loras);
      const sampler = createSampler(name, { config: opened.files.scheduler, steps, strength: 1, choices });
      const begin = performance.now();
      const text = { prompt, negativePrompt: "", guidanceScale };
      const conditioning: Conditioning = await encodePrompt(networks, model, text, signal);
      const request = { conditioning, sampler, size, seed, count: 1 };
      for await (const event of textToImage(networks, model, request, signal)) {
        if (event.kind !== "picture") continue;
        const seconds = (performance.now() - begin) / 1000;
        return { pixels: event.pixels, seconds, networkCalls: event.networkCalls };
      }
      throw new DOMException("The drawing ended without a picture.", "AbortError");
    },
    plain: async () => (await slotFor([])).networks,
    async [Symbol.asyncDispose]() {
      for (const { networks } of kept.splice(0)) await networks.dispose();
    },
  };
}
