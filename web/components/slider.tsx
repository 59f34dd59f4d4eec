import type { VNode } from "preact";
import { useId } from "preact/hooks";

export interface SliderProps {
  readonly label: string;
  readonly value: number;
  readonly least: number;
  readonly most: number;
  readonly step: number;
  readonly onChange: (value: number) => void;
  /** A word on what it does. */
  readonly hint?: string | undefined;
  /** The value as it is written; decimals as the step has them unless given. */
  readonly shown?: string;
}

/** A slider that acts while it is moved. */
export function Slider({ label, value, least, most, step, onChange, hint, shown }: SliderProps): VNode {
  const id = useId();
  const text = shown ?? value.toFixed(decimals(step));
  return (
    <div class="slider">
      <label for={id}>{label}</label>
      <output for={id}>{text}</output>
      <input
        id={id}
        type="range"
        min={least}
        max={most}
        step={step}
        value={value}
        aria-valuetext={text}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        onInput={(event) => onChange(event.currentTarget.valueAsNumber)}
      />
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

const decimals = (step: number): number => (Number.isInteger(step) ? 0 : String(step).split(".")[1]!.length);
