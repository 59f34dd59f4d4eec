import type { VNode } from "preact";
import { settings } from "../state/settings.ts";
import { Slider } from "./slider.tsx";
import { Switch } from "./switch.tsx";

/** Whether DDIM, without acceleration, draws the same beside it. */
export function CompareControls(): VNode {
  const { compare, compareSteps } = settings;
  return (
    <section class="card" aria-label="Comparison">
      <Switch
        label="Side by side with DDIM"
        on={compare.value}
        onChange={(on) => {
          compare.value = on;
        }}
      />
      {compare.value && (
        <Slider
          label="Steps of DDIM"
          value={compareSteps.value}
          least={1}
          most={50}
          step={1}
          onChange={(value) => {
            compareSteps.value = value;
          }}
        />
      )}
    </section>
  );
}
