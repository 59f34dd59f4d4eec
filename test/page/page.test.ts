import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../running-server.ts";
import { type ServingFourstep, startServe } from "../server/processes.ts";
import { chromiumPath, startBrowser, visit } from "./browser.ts";
import { buildPage } from "./built-page.ts";
import {
  bytesOf,
  drawLine,
  drawn,
  drawnWith,
  dropFile,
  patience,
  picture,
  pixelsOf,
  settingsOf,
  shareOf,
  testPatience,
  warmUp,
} from "./page-reader.ts";

const prompt = "What to draw";
let data: string;
let server: ServingFourstep;
let browser: Browser;

/** Jobs as the server tells of them. */
const jobs = async (): Promise<{ state: string; request: { prompt: string } }[]> =>
  (await (await fetch(`${server.url}/api/jobs`)).json()) as { state: string; request: { prompt: string } }[];

describe.skipIf(chromiumPath === undefined)("the page, in Chromium", { timeout: testPatience }, () => {
  beforeAll(async () => {
    buildPage();
    data = await mkdtemp(join(tmpdir(), "fourstep-page-"));
    [server, browser] = await Promise.all([startServe(["--data", data, "--max-steps", "1000"]), startBrowser()]);
    await warmUp(server.url);
  }, testPatience);
  afterAll(async () => {
    await browser.close();
    await server.kill();
    await rm(data, { recursive: true, force: true });
  });

  it("draws what is typed, and shows no gap in between", async () => {
    await using visiting = await visit(browser, server.url);
    const { page, errors } = visiting;
    await page.getByLabel(prompt).pressSequentially("a red apple", { delay: 30 });
    await drawn(page, /^a red apple, seed 7/);
    const { channels } = await sharp(await bytesOf(picture(page))).stats();
    expect(channels[0]!.mean).toBeGreaterThan(channels[1]!.mean + 30);
    // Each frame from now on has a picture.
    await page.evaluate(`(() => {
      window.blank = 0;
      const look = () => {
        const image = document.querySelector("figure img");
        if (!image?.complete || image.naturalWidth === 0) window.blank++;
        requestAnimationFrame(look);
      };
      look();
    })()`);
    await page.getByLabel(prompt).fill("a blue teapot");
    await drawn(page, /^a blue teapot/);
    await page.getByLabel(prompt).fill("a green leaf");
    await drawn(page, /^a green leaf/);
    expect(await page.evaluate("window.blank")).toBe(0);
    expect(errors).toEqual([]);
  });

  it("takes back what is outdated", async () => {
    await using visiting = await visit(browser, server.url);
    const { page, context } = visiting;
    const drawSlowly = async (): Promise<void> => {
      await page.evaluate(`localStorage.setItem("fourstep.steps", "900")`);
      await page.evaluate(`localStorage.setItem("fourstep.sampler", '"ddim"')`);
      await page.reload();
    };
    await drawSlowly();
    await page.getByLabel(prompt).fill("a slow snail");
    const states = async (of: string) =>
      (await jobs()).filter((job) => job.request.prompt === of).map((job) => job.state);
    await until(async () => (await states("a slow snail")).includes("running"));
    await page.getByLabel(prompt).fill("a fast fox");
    await until(async () => (await states("a slow snail"))[0] === "cancelled");
    await page.getByText("More", { exact: true }).click();
    await page.getByRole("button", { name: "Set all back" }).click();
    await drawn(page, /^a fast fox/);
    expect(await states("a slow snail")).toEqual(["cancelled"]);
    // Who leaves takes it back, too.
    await drawSlowly();
    await page.getByLabel(prompt).fill("a tortoise");
    await until(async () => (await states("a tortoise")).includes("running"));
    await context.close();
    await until(async () => (await states("a tortoise")).every((state) => state === "cancelled"));
  });

  it("draws from a sketch; undo, eraser, layers and the keyboard work", async () => {
    await using visiting = await visit(browser, server.url);
    const { page, errors } = visiting;
    await page.getByLabel(prompt).fill("a red apple");
    await page.getByRole("radio", { name: "Sketch" }).check();
    await page.getByRole("button", { name: "red", exact: true }).click();
    await drawLine(page, [0.3, 0.5], [0.7, 0.5]);
    await drawn(page, /from the sketch/);
    const { settings } = await settingsOf(await bytesOf(picture(page)));
    expect(settings.get("Denoising strength")).toBe("0.7");
    expect(Number(settings.get("Steps"))).toBeLessThanOrEqual(4);
    const red = (): Promise<number> => shareOf(page, 216, 57, 43);
    const one = await red();
    expect(one).toBeGreaterThan(0.01);

    await page.getByRole("button", { name: "Undo" }).click();
    await expect.poll(red).toBe(0);
    await page.getByRole("button", { name: "Redo" }).click();
    await expect.poll(red).toBe(one);
    await page.getByRole("button", { name: "Add a layer" }).click();
    await drawLine(page, [0.3, 0.8], [0.7, 0.8]);
    await expect.poll(red).toBeGreaterThan(1.5 * one);
    await page.getByRole("button", { name: "Hide Layer 2" }).click();
    await expect.poll(red).toBe(one);
    await page.getByRole("button", { name: "Layer 1", exact: true }).click();
    await page.getByRole("button", { name: "Eraser" }).click();
    await drawLine(page, [0.2, 0.5], [0.5, 0.5]);
    await expect.poll(red).toBeLessThan(0.8 * one);

    await page.getByRole("button", { name: "Clear the sketch" }).click();
    await expect.poll(red).toBe(0);
    await page.getByRole("application").focus();
    await page.keyboard.press("b");
    for (const key of [" ", "Shift+ArrowRight", "Shift+ArrowRight", " "]) await page.keyboard.press(key);
    await expect.poll(red).toBeGreaterThan(0.003);
    await page.keyboard.press("Control+z");
    await expect.poll(red).toBe(0);
    expect(errors).toEqual([]);
  });

  it("acts on sliders, the seed and its lock at once, and draws beside DDIM", async () => {
    await using visiting = await visit(browser, server.url);
    const { page, errors } = visiting;
    await page.getByLabel(prompt).fill("a red apple");
    const first = await bytesOf(await drawn(page, /^a red apple/));
    await page.getByLabel("Style ink").press("End");
    const inked = await drawnWith(page, (told) => told.prompt.includes("<lora:style-ink:1.5>"));
    expect(Buffer.compare(await pixelsOf(inked), await pixelsOf(first))).not.toBe(0);
    await page.getByLabel("Style ink").press("Home");
    await page.getByLabel("Acceleration").press("ArrowLeft");
    await drawnWith(page, (told) => told.prompt === "a red apple <lora:lcm-lora:0.95>");
    await page.getByLabel("Steps", { exact: true }).press("Home");
    await drawnWith(page, ({ settings }) => settings.get("Steps") === "1");
    await page.getByLabel("Guidance").press("ArrowRight");
    await drawnWith(page, ({ settings }) => settings.get("CFG scale") === "1.1");
    await page.getByLabel("Seed", { exact: true }).fill("11");
    await drawnWith(page, ({ settings }) => settings.get("Seed") === "11");
    await page.getByRole("button", { name: "Keep the seed" }).click();
    await page.getByLabel(prompt).fill("a fox");
    await drawnWith(page, (told) => told.prompt.startsWith("a fox") && told.settings.get("Seed") !== "11");

    await page.getByRole("switch", { name: "Side by side with DDIM" }).click();
    await page.getByLabel("Steps of DDIM").press("Home");
    const other = page.getByRole("figure", { name: "By DDIM" }).getByRole("img");
    await other.waitFor({ timeout: patience });
    await until(async () => (await settingsOf(await bytesOf(other))).settings.get("Steps") === "1");
    const told = await settingsOf(await bytesOf(other));
    expect(told.prompt).toBe("a fox");
    expect(told.settings.get("Sampler")).toBe("DDIM");
    expect(errors).toEqual([]);
  });

  it("downloads pictures with their settings, and has them back from a dropped one", async () => {
    await using visiting = await visit(browser, server.url);
    const { page, errors } = visiting;
    await page.getByLabel(prompt).fill("a yellow duck");
    await page.getByRole("radio", { name: "Sketch" }).check();
    await page.getByRole("button", { name: "yellow", exact: true }).click();
    await drawLine(page, [0.2, 0.6], [0.8, 0.6]);
    await page.getByLabel("Style 3d").press("End");
    await page.getByLabel("Seed", { exact: true }).fill("23");
    await drawnWith(page, ({ prompt: words, settings }) => words.includes("style-3d") && settings.get("Seed") === "23");
    const downloading = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download" }).click();
    const download = await downloading;
    expect(download.suggestedFilename()).toBe("a-yellow-duck-23.png");
    const file = await readFile(await download.path());
    const told = await settingsOf(file);
    expect(told.prompt).toMatch(/^a yellow duck <lora:/);
    expect(told.settings.get("Sampler")).toBe("LCM");

    await using later = await visit(browser, server.url);
    const { page: fresh } = later;
    await fresh.getByLabel(prompt).fill("a cat");
    await drawn(fresh, /^a cat/);
    await dropFile(fresh, "duck.png", file);
    await drawn(fresh, /^a yellow duck, from the sketch, seed 23/);
    expect(await fresh.getByLabel(prompt).inputValue()).toBe("a yellow duck");
    expect(await fresh.getByLabel("Style 3d").inputValue()).toBe("1.5");
    expect(await shareOf(fresh, 246, 207, 60)).toBeGreaterThan(0.01);
    const again = await bytesOf(picture(fresh));
    expect(Buffer.compare(await pixelsOf(again), await pixelsOf(file))).toBe(0);
    expect([...errors, ...later.errors]).toEqual([]);
  });

  it("takes a picture without settings for a layer of the sketch", async () => {
    await using visiting = await visit(browser, server.url);
    const { page } = visiting;
    const plain = await sharp({ create: { width: 30, height: 30, channels: 3, background: "#3a5fc8" } })
      .png()
      .toBuffer();
    await dropFile(page, "plain.png", plain);
    await page.getByText("now a layer of the sketch").waitFor();
    await expect.poll(() => shareOf(page, 0x3a, 0x5f, 0xc8)).toBeGreaterThan(0.9);
  });

  it("keeps everything through a reload: words, sliders, sketch, history and gallery", async () => {
    await using visiting = await visit(browser, server.url);
    const { page, errors } = visiting;
    await page.getByLabel(prompt).fill("a lighthouse");
    await page.getByRole("radio", { name: "Sketch" }).check();
    await page.getByRole("button", { name: "blue", exact: true }).click();
    await drawLine(page, [0.5, 0.2], [0.5, 0.8]);
    await page.getByLabel("Strength").press("End");
    await drawnWith(page, ({ settings }) => settings.get("Denoising strength") === "1");
    const shelved = page.getByRole("img", { name: "Bring back: a lighthouse" });
    await shelved.first().waitFor({ timeout: patience });
    await page.getByRole("button", { name: "Keep in the gallery", exact: true }).click();
    const blue = await shareOf(page, 0x3a, 0x5f, 0xc8);
    await page.reload();
    await drawn(page, /^a lighthouse, from the sketch/);
    expect(await page.getByLabel("Strength").inputValue()).toBe("1");
    expect(await shareOf(page, 0x3a, 0x5f, 0xc8)).toBe(blue);
    await page.getByRole("radio", { name: "Gallery" }).check();
    await shelved.first().waitFor();
    // What lies there brings its settings back.
    await page.getByRole("radio", { name: "Type" }).check();
    await page.getByLabel(prompt).fill("a penguin");
    await drawn(page, /^a penguin/);
    await shelved.first().click();
    await drawn(page, /^a lighthouse, from the sketch/);
    expect(errors).toEqual([]);
  });

  it("says that the server is gone, and goes on by itself when it is back", async () => {
    await using visiting = await visit(browser, server.url);
    const { page, errors } = visiting;
    await page.getByLabel(prompt).fill("a fox");
    await drawn(page, /^a fox/);
    await server.kill();
    await page.getByLabel(prompt).fill("a dog");
    await page.getByText("The server is gone.").waitFor({ timeout: patience });
    const { port } = new URL(server.url);
    server = await startServe(["--data", data, "--port", port]);
    await drawn(page, /^a dog/);
    await expect.poll(() => page.getByText("The server is gone.").count()).toBe(0);
    expect(errors).toEqual([]);
  });
});
