import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { type Drawer, DrawFault, type Offers } from "../drawer.ts";
import { settings } from "./settings.ts";
import { insist } from "./trouble.ts";

/** What can be drawn with; undefined until the drawer has told. */
export const offers: Signal<Offers | undefined> = signal(undefined);

/** The LoRA that makes the model draw in few steps, where it is among those that fit the model. */
export const accelerator: ReadonlySignal<string | undefined> = computed(
  () => offers.value?.loras.find(({ name }) => /(^|[^a-z])lcm([^a-z]|$)/i.test(name))?.name,
);

/** Asks what there is for the chosen model; a model that is no longer there is forgotten. */
export async function loadOffers(drawer: Drawer, stop: AbortSignal): Promise<void> {
  const model = settings.model.peek();
  try {
    offers.value = await insist(() => drawer.offers(model, stop), stop);
  } catch (error) {
    if (model === undefined || !(error instanceof DrawFault)) throw error;
    settings.model.value = undefined;
  }
}
