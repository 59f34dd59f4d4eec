import { unetFromFolder } from "../generate/model.ts";
import type { Networks } from "../generate/networks.ts";
import type { LoraChoice } from "./lora-choice.ts";
import { type ChosenAdapter, type OpenedModel, readLoras, weightedAdapters } from "./open-model.ts";

/** Exchanges the LoRAs of networks that stay compiled. */
export interface LoraSwap {
  /** Those in use, in the order of the choices. */
  readonly adapters: readonly ChosenAdapter[];
  /**
   * Draws with these LoRAs and weights from the next prediction on, in place of those before; none is the base, to the last
   * bit. Files that are in use are not read again. Where it throws, those before stay. One exchange waits for the other;
   * a drawing that is under way goes on with the new ones.
   * @throws AdapterError when a LoRA does not fit the model, UsageError when a file is missing or a weight is not finite
   */
  use(choices: readonly LoraChoice[]): Promise<readonly ChosenAdapter[]>;
  /**
   * What to call before each step of a drawing, as `DrawingRequest.beforeStep`, so that weights change with the steps;
   * undefined when no LoRA in use has such weights.
   * @param count steps of the drawing
   */
  beforeStep(count: number): ((index: number) => Promise<void>) | undefined;
}

/**
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
  networks: Pick<Networks, "replaceUNet">,
  adapters: readonly ChosenAdapter[] = [],
): LoraSwap {
  let inUse = adapters;
  /** The lambdas that the networks have. */
  let applied = lambdasOf(adapters);
  let last: Promise<unknown> = Promise.resolve();

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
  const apply = async (chosen: readonly ChosenAdapter[], step?: readonly [number, number]): Promise<void> => {
    const unet = await unetFromFolder(opened.files, opened.place, weightedAdapters(chosen, step));
    await networks.replaceUNet(unet);
    applied = lambdasOf(chosen, step);
  };

  return {
    get adapters() {
      return inUse;
    },
    use: (choices) =>
      inTurn(async () => {
        const known = new Map(inUse.map(({ path, adapter }) => [path, adapter]));
        const chosen = await readLoras(opened.files, choices, known);
        await apply(chosen);
        inUse = chosen;
        return chosen;
      }),
    beforeStep(count) {
      const chosen = inUse;
      if (chosen.every(({ steps }) => steps === undefined)) return undefined;
      return (index) =>
        inTurn(async () => {
          if (lambdasOf(chosen, [index, count]) !== applied) await apply(chosen, [index, count]);
        });
    },
  };
}

/** The lambdas of a step, to be compared. */
function lambdasOf(adapters: readonly ChosenAdapter[], step?: readonly [number, number]): string {
  return adapters.map(({ weight, steps }) => (step === undefined ? weight : (steps?.at(...step) ?? weight))).join();
}
