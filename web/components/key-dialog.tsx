import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { apiKey, takeKey } from "../http/api-key.ts";
import { trouble } from "../state/trouble.ts";

/** Asks for the server's key when the server does. */
export function KeyDialog(): VNode | null {
  const dialog = useRef<HTMLDialogElement>(null);
  const [key, setKey] = useState("");
  const [remember, setRemember] = useState(false);
  const asked = trouble.value?.kind === "key";
  useEffect(() => {
    if (asked) dialog.current?.showModal();
  }, [asked]);
  if (!asked) return null;
  return (
    <dialog ref={dialog} aria-labelledby="key-heading" onCancel={(event) => event.preventDefault()}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (key.trim() !== "") takeKey(key.trim(), remember);
        }}
      >
        <h2 id="key-heading">The server asks for a key</h2>
        <p class="hint">
          {apiKey.value === undefined
            ? "Whoever runs it set one with FOURSTEP_API_KEY."
            : "The key that was given is not the right one."}
        </p>
        <div class="field">
          <label for="key">Key</label>
          <input
            id="key"
            type="password"
            autocomplete="current-password"
            value={key}
            onInput={(event) => setKey(event.currentTarget.value)}
          />
        </div>
        <label class="check">
          <input type="checkbox" checked={remember} onChange={(event) => setRemember(event.currentTarget.checked)} />
          Keep it in this browser
        </label>
        <button type="submit" class="main">
          Go on
        </button>
      </form>
    </dialog>
  );
}
