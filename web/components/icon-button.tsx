import type { VNode } from "preact";
import { Icon, type IconName } from "./icon.tsx";

export interface IconButtonProps {
  readonly icon: IconName;
  /** What it does; shown on hovering, and read aloud. */
  readonly label: string;
  readonly onClick: () => void;
  readonly disabled?: boolean;
  /** For buttons that stay pressed. */
  readonly pressed?: boolean;
  readonly filled?: boolean;
  /** As `aria-keyshortcuts` wants them, e.g. `Control+Z`. */
  readonly keys?: string;
}

export function IconButton({ icon, label, onClick, disabled = false, pressed, filled, keys }: IconButtonProps): VNode {
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={label}
      title={label}
      aria-pressed={pressed}
      aria-keyshortcuts={keys}
      disabled={disabled}
      onClick={onClick}
    >
      <Icon name={icon} filled={filled ?? false} />
    </button>
  );
}
