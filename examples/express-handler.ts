/** The same for Express, `app.get("/picture", pictureHandler(textToPicture))`, and for Node's own server. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Draw } from "./hono-handler.ts";

export function pictureHandler(draw: Draw): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  let last: Promise<unknown> = Promise.resolve();
  return async (request, response) => {
    const { searchParams } = new URL(request.url ?? "/", "http://localhost");
    const prompt = searchParams.get("prompt") ?? "";
    if (prompt === "") {
      response.writeHead(400, { "content-type": "text/plain" }).end("Give a prompt.");
      return;
    }
    const drawn = last.then(() => draw(prompt, Number(searchParams.get("seed") ?? "0")));
    last = drawn.catch(() => undefined);
    try {
      const png = await drawn;
      response.writeHead(200, { "content-type": "image/png" }).end(png);
    } catch (error) {
      response.writeHead(500, { "content-type": "text/plain" }).end((error as Error).message);
    }
  };
}
