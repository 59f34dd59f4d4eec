/** Makes the pictures of the page in docs/. `npm run docs:page` */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import sharp from "sharp";
import { startBrowser, visit } from "../../test/page/browser.ts";
import { buildPage } from "../../test/page/built-page.ts";
import { drawLine, drawn, drawnWith, settingsOf } from "../../test/page/page-reader.ts";
import { startServe } from "../../test/server/processes.ts";

const docs = fileURLToPath(new URL("../../docs/", import.meta.url));

/** Colours are few on the page, so that a palette holds them. */
async function shoot(page: Page, name: string): Promise<void> {
  await page.mouse.move(0, 0);
  const png = await page.screenshot({ animations: "disabled" });
  const small = await sharp(png)
    .png({ palette: true, quality: 95, effort: 10 })
    .toFile(join(docs, `page-${name}.png`));
  process.stderr.write(`page-${name}.png ${small.width}x${small.height}, ${Math.round(small.size / 1024)} KB\n`);
}

/** Types words and stays with the picture until it is remembered. */
async function remember(page: Page, words: string): Promise<void> {
  await page.getByLabel("What to draw").fill(words);
  await drawn(page, new RegExp(`^${words}, seed`));
  await page.getByRole("img", { name: `Bring back: ${words}`, exact: true }).waitFor();
}

async function sketchAnApple(page: Page): Promise<void> {
  await page.getByLabel("What to draw").fill("a red apple");
  await page.getByRole("radio", { name: "Sketch" }).check();
  await page.getByLabel("Brush size").fill("150");
  await page.getByRole("button", { name: "red", exact: true }).click();
  await drawLine(page, [0.36, 0.55], [0.64, 0.55]);
  await drawLine(page, [0.38, 0.68], [0.62, 0.68]);
  await page.getByRole("button", { name: "Add a layer" }).click();
  await page.getByLabel("Brush size").fill("40");
  await page.getByRole("button", { name: "green", exact: true }).click();
  await drawLine(page, [0.5, 0.36], [0.64, 0.22]);
  await drawn(page, /^a red apple, from the sketch/);
}

buildPage();
const data = await mkdtemp(join(tmpdir(), "fourstep-docs-page-"));
const server = await startServe(["--data", data]);
const browser = await startBrowser();
try {
  {
    await using visiting = await visit(browser, server.url, { width: 1280, height: 960 });
    const { page } = visiting;
    for (const words of [
      "a sailboat",
      "an owl, cartoon style",
      "a mushroom, retro style",
      "a penguin",
      "a red apple",
    ]) {
      await remember(page, words);
    }
    await remember(page, "a fox, flat style");
    await shoot(page, "type");
    await sketchAnApple(page);
    await page.getByRole("button", { name: /^Colours/ }).click();
    await page.getByRole("button", { name: /^Colours/ }).click();
    await page.waitForTimeout(1500);
    await shoot(page, "sketch-dark");
  }
  {
    await using visiting = await visit(browser, server.url, { width: 1280, height: 960 });
    const { page } = visiting;
    await page.getByRole("switch", { name: "Side by side with DDIM" }).click();
    await page.getByLabel("What to draw").fill("a fox, flat style");
    await page.getByRole("figure", { name: "By DDIM" }).getByRole("img").waitFor();
    await page.waitForTimeout(1500);
    await shoot(page, "compare");
  }
  for (const colours of ["light", "dark"] as const) {
    await using visiting = await visit(browser, server.url, { width: 390, height: 844, colours, touch: true });
    const { page } = visiting;
    if (colours === "light") {
      await remember(page, "a penguin");
      await page.getByLabel("Style ink").fill("0.8");
      const inked = await drawnWith(page, (told) => told.prompt.includes("style-ink:0.8"));
      process.stderr.write(`${(await settingsOf(inked)).prompt}\n`);
    } else await sketchAnApple(page);
    await page.evaluate("scrollTo(0, 0)");
    await page.waitForTimeout(500);
    await shoot(page, `phone-${colours}`);
  }
} finally {
  await browser.close();
  await server.stop();
  await rm(data, { recursive: true, force: true });
}
