import type { VNode } from "preact";
import { accelerator, offers } from "../state/offers.ts";
import { setWeight } from "../state/settings.ts";
import { weightOf } from "../state/wanted.ts";
import { Slider } from "./slider.tsx";

/** One slider for each LoRA: that which accelerates first, then styles. Equation 6 of the paper, by hand. */
export function LoraSliders(): VNode | null {
  const loras = offers.value?.loras ?? [];
  if (loras.length === 0) return null;
  const fast = accelerator.value;
  const styles = loras.map(({ name }) => name).filter((name) => name !== fast);
  return (
    <section class="card" aria-labelledby="loras-heading">
      <h2 id="loras-heading">LoRAs</h2>
      {fast !== undefined && (
        <Slider
          label="Acceleration"
          value={weightOf(fast)}
          least={0}
          most={1.5}
          step={0.05}
          hint="The LCM-LoRA's weight: what makes four steps enough."
          onChange={(weight) => setWeight(fast, weight)}
        />
      )}
      {styles.map((name) => (
        <Slider
          key={name}
          label={spoken(name)}
          value={weightOf(name)}
          least={Math.min(0, weightOf(name))}
          most={Math.max(1.5, weightOf(name))}
          step={0.05}
          onChange={(weight) => setWeight(name, weight)}
        />
      ))}
    </section>
  );
}

/** `style-ink` as one says it. */
function spoken(name: string): string {
  const words = name.replaceAll(/[-_]+/g, " ").trim();
  return words === "" ? name : `${words[0]!.toUpperCase()}${words.slice(1)}`;
}
