/**
 * How long the engine takes in Chromium: until the first picture, and for those that follow. `npm run bench:web`, with
 * `-- webgpu` to measure WebGPU too (in software, where there is no graphics processor: minutes a picture), `-- pictures=9`.
 */
import { cpus } from "node:os";
import type { Browser } from "playwright-core";
import type { StudioOptions } from "../src/web/index.ts";
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
}

async function measure(browser: Browser, options: StudioOptions, count: number): Promise<Row> {
  await using engine = await openEnginePage(browser);
  const begin = performance.now();
  const { info } = await engine.open(options);
  const open = (performance.now() - begin) / 1000;
  const seconds: number[] = [];
  for (let i = 0; i < count; i++) {
    const drawing = { prompt: "a fox, flat style", seed: i, size: { width: 64, height: 64 } };
    seconds.push((await engine.draw(drawing)).seconds);
  }
  const [first, ...rest] = seconds as [number, ...number[]];
  const title = info.device === "webgpu" ? `WebGPU, ${info.precision}` : `WebAssembly, threads: ${info.threads}`;
  return { title, open, first, following: rest.sort((a, b) => a - b)[Math.floor(rest.length / 2)] ?? Number.NaN };
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
  console.log("| | opened | first picture | following (median) |\n|---|---|---|---|");
  for (const { title, open, first, following } of rows) {
    console.log(`| ${title} | ${open.toFixed(2)} | ${first.toFixed(2)} | ${following.toFixed(2)} |`);
  }
} finally {
  await browser.close();
}
