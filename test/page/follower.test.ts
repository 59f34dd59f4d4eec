import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type Follower, follower } from "../../web/state/follower.ts";

interface Work {
  readonly wanted: string;
  readonly signal: AbortSignal;
  readonly end: () => void;
}

let begun: Work[];
let following: Follower<string>;
beforeEach(() => {
  vi.useFakeTimers();
  begun = [];
  following = follower<string>(
    (wanted, signal) => new Promise((end) => begun.push({ wanted, signal, end })),
    () => 100,
  );
});
afterEach(() => void vi.useRealTimers());

const words = (): string[] => begun.map(({ wanted, signal }) => (signal.aborted ? `${wanted}, aborted` : wanted));

it("begins at once when nothing is under way", () => {
  following.want("a");
  expect(words()).toEqual(["a"]);
});

it("lets the outdated finish for a while, then aborts it for the newest", () => {
  following.want("a");
  following.want("ab");
  vi.advanceTimersByTime(99);
  expect(words()).toEqual(["a"]);
  following.want("abc");
  vi.advanceTimersByTime(99);
  expect(words()).toEqual(["a"]);
  vi.advanceTimersByTime(1);
  expect(words()).toEqual(["a, aborted", "abc"]);
});

it("begins the newest when the outdated ends by itself, so that typing without a pause shows pictures", async () => {
  following.want("a");
  following.want("ab");
  begun[0]!.end();
  await vi.advanceTimersByTimeAsync(0);
  expect(words()).toEqual(["a", "ab"]);
  await vi.advanceTimersByTimeAsync(1000);
  expect(words()).toEqual(["a", "ab"]);
});

it("goes on after work that failed", async () => {
  const tried: string[] = [];
  const failing = follower<string>(
    (wanted) => {
      tried.push(wanted);
      return Promise.reject(new Error("no"));
    },
    () => 100,
  );
  failing.want("a");
  failing.want("b");
  await vi.advanceTimersByTimeAsync(0);
  failing.want("c");
  expect(tried).toEqual(["a", "b", "c"]);
});

it("stops, and forgets what was wanted", async () => {
  following.want("a");
  following.want("ab");
  following.stop();
  await vi.advanceTimersByTimeAsync(1000);
  expect(words()).toEqual(["a, aborted"]);
});
