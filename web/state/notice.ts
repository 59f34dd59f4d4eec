import { type Signal, signal } from "@preact/signals";

/** A word to the user that goes by itself; also read aloud by screen readers. */
export const notice: Signal<string> = signal("");

const shownMs = 6000;
let timer: ReturnType<typeof setTimeout> | undefined;

export function tell(text: string): void {
  clearTimeout(timer);
  notice.value = text;
  timer = setTimeout(() => {
    notice.value = "";
  }, shownMs);
}
