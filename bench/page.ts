/**
 * How fast pictures follow the keys: somebody types in Chromium, and each picture's delay is measured from the keystroke whose
 * words it shows to the moment when it stands on the page. `npm run bench:page -- [milliseconds between keys]`.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startBrowser, visit } from "../test/page/browser.ts";
import { buildPage } from "../test/page/built-page.ts";
import { drawn } from "../test/page/page-reader.ts";
import { startServe } from "../test/server/processes.ts";

const texts = ["a red apple", "a mushroom, retro style", "a fox, flat style", "an owl, cartoon style"];
const gapMs = Number(process.argv[2] ?? "120");

/** In the page: when words were there, and when the picture of words was. */
const watch = `(() => {
  window.typed = new Map();
  window.shown = [];
  document.addEventListener("input", (event) => window.typed.set(event.target.value.trim(), performance.now()), true);
  new MutationObserver(() => {
    const image = document.querySelector("figure[aria-label=Picture] img");
    const words = image?.alt.replace(/, seed \\d+$/, "");
    if (words === undefined || words === window.shown.at(-1)?.words) return;
    window.shown.push({ words, at: performance.now() });
  }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ["src", "alt"] });
})()`;

interface Seen {
  readonly delays: readonly number[];
  readonly pictures: number;
}

const read = `({
  delays: window.shown.filter(({ words }) => window.typed.has(words)).map(({ words, at }) => at - window.typed.get(words)),
  pictures: window.shown.length,
})`;

const middle = (values: readonly number[], part: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(part * values.length))] ?? Number.NaN;

buildPage();
const data = await mkdtemp(join(tmpdir(), "fourstep-bench-page-"));
const server = await startServe(["--data", data]);
const browser = await startBrowser();
try {
  await using visiting = await visit(browser, server.url);
  const { page } = visiting;
  const prompt = page.getByLabel("What to draw");
  // The first picture compiles the networks.
  await prompt.fill("a dog");
  await drawn(page, /^a dog/);
  await page.evaluate(watch);
  const delays: number[] = [];
  let [pictures, keys, seconds] = [0, 0, 0];
  for (const text of texts) {
    await prompt.fill("");
    await page.evaluate("window.shown = []; window.typed.clear()");
    const begin = performance.now();
    await prompt.pressSequentially(text, { delay: gapMs });
    await drawn(page, new RegExp(`^${text}, seed`));
    seconds += (performance.now() - begin) / 1000;
    const seen = (await page.evaluate(read)) as Seen;
    delays.push(...seen.delays);
    pictures += seen.pictures;
    keys += text.length;
  }
  const figures = {
    keys,
    pictures,
    seconds: Number(seconds.toFixed(1)),
    picturesPerSecond: Number((pictures / seconds).toFixed(2)),
    delayMedianMs: Math.round(middle(delays, 0.5)),
    delayNinetiethMs: Math.round(middle(delays, 0.9)),
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
} finally {
  await browser.close();
  await server.stop();
  await rm(data, { recursive: true, force: true });
}
