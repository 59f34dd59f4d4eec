/** Works at what is wanted last. */
export interface Follower<T> {
  /**
   * Says what is wanted now. With nothing under way it is begun at once. Otherwise what is under way, now outdated, gets a short
   * while to finish, so that someone who types without a pause sees pictures too; then it is aborted and the newest begun.
   */
  want(wanted: T): void;
  /** Aborts what is under way and forgets what is wanted. */
  stop(): void;
}

/**
 * @param work must end soon when its signal is aborted; what it throws then is nobody's concern
 * @param patience how long, in milliseconds after the last word, the outdated may go on
 */
export function follower<T>(
  work: (wanted: T, signal: AbortSignal) => Promise<void>,
  patience: () => number,
): Follower<T> {
  let next: { readonly wanted: T } | undefined;
  let current: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const begin = (): void => {
    clearTimeout(timer);
    current?.abort(new DOMException("something else is wanted now", "AbortError"));
    current = undefined;
    if (next === undefined) return;
    const { wanted } = next;
    const own = new AbortController();
    next = undefined;
    current = own;
    const ended = (): void => {
      if (current !== own) return;
      current = undefined;
      begin();
    };
    work(wanted, own.signal).then(ended, ended);
  };

  return {
    want(wanted) {
      next = { wanted };
      clearTimeout(timer);
      if (current === undefined) begin();
      else timer = setTimeout(begin, patience());
    },
    stop() {
      next = undefined;
      begin();
    },
  };
}
