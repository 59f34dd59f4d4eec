import type { VNode } from "preact";
import { randomSeed, settings } from "../state/settings.ts";
import { drawAgain } from "../state/wanted.ts";
import { IconButton } from "./icon-button.tsx";

/** Which noise pictures begin with, and whether it stays. */
export function SeedField(): VNode {
  const { seed, seedLocked } = settings;
  return (
    <div class="seed-field">
      <label for="seed">Seed</label>
      <input
        id="seed"
        type="number"
        inputMode="numeric"
        min={0}
        max={Number.MAX_SAFE_INTEGER}
        step={1}
        value={seed.value}
        onInput={(event) => {
          const value = event.currentTarget.valueAsNumber;
          if (!Number.isSafeInteger(value) || value < 0) return;
          seed.value = value;
          seedLocked.value = true;
        }}
      />
      <IconButton
        icon="dice"
        label="Another seed"
        onClick={() => {
          if (seedLocked.value) seed.value = randomSeed();
          else drawAgain();
        }}
      />
      <IconButton
        icon={seedLocked.value ? "locked" : "unlocked"}
        label="Keep the seed from one picture to the next"
        pressed={seedLocked.value}
        onClick={() => {
          seedLocked.value = !seedLocked.value;
        }}
      />
    </div>
  );
}
