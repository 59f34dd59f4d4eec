import { batch } from "@preact/signals";
import type { VNode } from "preact";
import { accelerator, offers } from "../state/offers.ts";
import { settings } from "../state/settings.ts";
import { SelectField } from "./select-field.tsx";
import { SizeField } from "./size-field.tsx";

/** What one seldom changes. */
export function MoreControls(): VNode {
  const { negative, sampler, model } = settings;
  const { models = [], samplers = [] } = offers.value ?? {};
  const usual = models.find((one) => one.usual)?.name;
  const named = samplers.map(({ name, title }) => [name, title] as const);
  const other = sampler.value !== undefined && !samplers.some(({ name }) => name === sampler.value);
  return (
    <details class="card">
      <summary>More</summary>
      <div class="field">
        <label for="negative">Not wanted in the picture</label>
        <input
          id="negative"
          type="text"
          autocomplete="off"
          maxLength={10_000}
          value={negative.value}
          onInput={(event) => {
            negative.value = event.currentTarget.value;
          }}
        />
        <p class="hint">Acts with a guidance above 1.</p>
      </div>
      <SelectField
        label="Sampler"
        value={sampler.value ?? ""}
        choices={[
          ["", accelerator.value === undefined ? "What suits the model" : "LCM (suits the model)"],
          ...(other ? [[sampler.value!, sampler.value!] as const] : []),
          ...named,
        ]}
        onChange={(name) => {
          sampler.value = name === "" ? undefined : name;
        }}
      />
      {models.length > 1 && (
        <SelectField
          label="Model"
          value={model.value ?? usual ?? ""}
          choices={models.map(({ name }) => [name, name])}
          onChange={(name) => {
            model.value = name === usual ? undefined : name;
          }}
        />
      )}
      <SizeField />
      <button type="button" class="plain" onClick={asUsual}>
        Set all back
      </button>
    </details>
  );
}

/** Everything but the words, the sketch and the seed. */
function asUsual(): void {
  batch(() => {
    settings.negative.value = "";
    settings.sampler.value = undefined;
    settings.steps.value = undefined;
    settings.guidance.value = undefined;
    settings.size.value = undefined;
    settings.weights.value = {};
    settings.strength.value = 0.7;
    settings.compare.value = false;
    settings.compareSteps.value = 32;
  });
}
