/**
 * How long the engine takes in Chromium: until the first picture, and for those that follow, in turns with the same in Node,
 * so that the ratio holds on a machine that does other things meanwhile. `npm run bench:web`, with
 * `-- webgpu` to measure WebGPU too (in software, where there is no graphics processor: minutes a picture), `-- pictures=9`.
 */
import { cpus } from "node:os";
import type { Browser } from "playwright-core";
import { openStudio, type Studio, type StudioOptions } from "../src/web/index.ts";
import { browserWithWebGpu, buildEnginePage, openEnginePage } from "../test/browser/engine-page.ts";
import { chromiumPath } from "../test/page/browser.ts";

const words = process.argv.slice(2);
const webgpu = words.includes("webgpu");
const pictures = Number(words.find((word) => word.startsWith("pictures="))?.slice(9) ?? 9);

interface Row {
  readonly title: string;
  /** Seconds: model and runtime fetched and read, the first picture with all that is compiled, the median of those after. */
  readonly open: number;
  readonly first: number;
  readonly following: number;
  /** Median of Node's, drawn in between; on all cores. */
  readonly node: number;
}

const median = (seconds: number[]): number =>
  seconds.sort((a, b) => a - b)[Math.floor(seconds.length / 2)] ?? Number.NaN;

async function inNode(studio: Studio, seed: number): Promise<number> {
  for await (const event of studio.draw({ ...drawing, seed })) if (event.kind === "picture") return event.seconds;
  throw new Error("There came no picture.");
}

const drawing = { prompt: "a fox, flat style", size: { width: 64, height: 64 } };

async function measure(browser: Browser, options: StudioOptions, count: number): Promise<Row> {
  await using engine = await openEnginePage(browser);
  const begin = performance.now();
  const { info } = await engine.open(options);
  const open = (performance.now() - begin) / 1000;
  // The same studio, on Node's runtime.
  const node = await openStudio(engine.model, { device: "cpu" });
  await inNode(node, 0);
  const seconds: number[] = [];
  const nodes: number[] = [];
  for (let seed = 0; seed < count; seed++) {
    seconds.push((await engine.draw({ ...drawing, seed })).seconds);
    nodes.push(await inNode(node, seed));
  }
  await node.close();
  const [first, ...rest] = seconds as [number, ...number[]];
  const title = info.device === "webgpu" ? `WebGPU, ${info.precision}` : `WebAssembly, threads: ${info.threads}`;
  return { title, open, first, following: median(rest), node: median(nodes) };
}

if (chromiumPath === undefined) {
  console.error("There is no Chromium here; name it with CHROMIUM.");
  process.exit(1);
}
await buildEnginePage();
const browser = await browserWithWebGpu();
try {
  const rows = [
    await measure(browser, { device: "cpu", threads: 1 }, pictures),
    await measure(browser, { device: "cpu", threads: 2 }, pictures),
    ...(webgpu ? [await measure(browser, { device: "webgpu" }, 2)] : []),
  ];
  console.log(`Chromium ${browser.version()}, ${cpus()[0]?.model}, ${cpus().length} cores; 64x64 in 4 steps, seconds`);
  console.log(
    "| | opened | first picture | following (median) | Node in between (median) | ratio |\n|---|---|---|---|---|---|",
  );
  for (const { title, open, first, following, node } of rows) {
    const numbers = [open, first, following, node, following / node].map((number) => number.toFixed(2));
    console.log(`| ${title} | ${numbers.join(" | ")} |`);
  }
} finally {
  await browser.close();
}
