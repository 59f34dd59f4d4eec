import type { VNode } from "preact";
import { accelerator, offers } from "../state/offers.ts";
import { mainPane } from "../state/pane.ts";
import { settings } from "../state/settings.ts";
import { acceleratedPlan } from "../state/wanted.ts";
import { SeedField } from "./seed-field.tsx";
import { Slider } from "./slider.tsx";
import { writtenNumber } from "./written-number.ts";

/** More steps than these are for numbers that come from elsewhere. */
const mostSteps = { accelerated: 8, plain: 50 };

/** How pictures are drawn. */
export function PictureControls(): VNode {
  const { steps, guidance, strength, mode } = settings;
  const accelerated = accelerator.value !== undefined;
  // A model that draws as it likes says in its picture how that was.
  const last = mainPane.picture.value?.settings;
  const shownSteps = steps.value ?? (accelerated ? acceleratedPlan.steps : writtenNumber(last, "Steps")) ?? 4;
  const shownGuidance =
    guidance.value ?? (accelerated ? acceleratedPlan.guidance : writtenNumber(last, "CFG scale")) ?? 1;
  const limit = offers.value?.limits.steps ?? mostSteps.plain;
  return (
    <section class="card" aria-labelledby="drawing-heading">
      <h2 id="drawing-heading">Drawing</h2>
      <Slider
        label="Steps"
        value={shownSteps}
        least={1}
        most={Math.min(limit, Math.max(shownSteps, accelerated ? mostSteps.accelerated : mostSteps.plain))}
        step={1}
        onChange={(value) => {
          steps.value = value;
        }}
      />
      <Slider
        label="Guidance"
        value={shownGuidance}
        least={0}
        most={Math.max(shownGuidance, accelerated ? 3 : 15)}
        step={0.1}
        hint={accelerated ? "1 is what the LCM-LoRA learnt; more follows the words harder." : undefined}
        onChange={(value) => {
          guidance.value = value;
        }}
      />
      {mode.value === "sketch" && (
        <Slider
          label="Strength"
          value={strength.value}
          least={0.05}
          most={1}
          step={0.05}
          hint="How far the picture may leave the sketch."
          onChange={(value) => {
            strength.value = value;
          }}
        />
      )}
      <SeedField />
    </section>
  );
}
