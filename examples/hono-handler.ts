/** A picture by its address, `/picture?prompt=a+fox&seed=1`, in Hono: runs wherever Node does. */
import { Hono } from "hono";

/** Draws a PNG file, such as `textToPicture`. */
export type Draw = (prompt: string, seed: number) => Promise<Uint8Array>;

export function pictureServer(draw: Draw): Hono {
  const app = new Hono();
  // One picture after the other: each takes all cores.
  let last: Promise<unknown> = Promise.resolve();
  app.get("/picture", async (c) => {
    const prompt = c.req.query("prompt") ?? "";
    const seed = Number(c.req.query("seed") ?? "0");
    if (prompt === "" || !Number.isSafeInteger(seed) || seed < 0) {
      return c.text("Give a prompt, and a seed that is a whole number from 0.", 400);
    }
    const drawn = last.then(() => draw(prompt, seed));
    last = drawn.catch(() => undefined);
    return c.body(new Uint8Array(await drawn), 200, { "content-type": "image/png" });
  });
  return app;
}
