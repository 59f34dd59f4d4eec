import { type Signal, signal } from "@preact/signals";

const name = "fourstep.key";

/** The server's key; the user is asked for it when the server asks the page. */
export const apiKey: Signal<string | undefined> = signal(kept());

/** Takes a key: for this tab, or for this browser. */
export function takeKey(key: string, remember: boolean): void {
  localStorage.removeItem(name);
  sessionStorage.removeItem(name);
  (remember ? localStorage : sessionStorage).setItem(name, key);
  apiKey.value = key;
}

function kept(): string | undefined {
  return sessionStorage.getItem(name) ?? localStorage.getItem(name) ?? undefined;
}
