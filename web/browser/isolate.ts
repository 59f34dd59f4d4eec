/**
 * Isolates the page from others, which WebAssembly's threads need, where the server does not: a service worker adds the two
 * headers, and the page is loaded once more through it. Does nothing where that is not possible; then one thread draws.
 */
export async function isolate(): Promise<void> {
  const once = "fourstep-isolated";
  if (crossOriginIsolated || !isSecureContext || navigator.serviceWorker === undefined) return;
  if (sessionStorage.getItem(once) !== null) return;
  sessionStorage.setItem(once, "tried");
  try {
    await navigator.serviceWorker.register(new URL("isolation-worker.js", document.baseURI));
    await navigator.serviceWorker.ready;
  } catch {
    return;
  }
  location.reload();
  await new Promise(() => {});
}
