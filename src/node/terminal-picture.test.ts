import { describe, expect, it } from "vitest";
import { showPicture, terminalPictures } from "./terminal-picture.ts";

const tty = { isTTY: true, columns: 100 };

describe("terminalPictures", () => {
  it("knows what each terminal can", () => {
    const kind = (env: Record<string, string>) => terminalPictures(tty, env);
    expect(kind({ TERM: "xterm-kitty" })).toEqual({ kind: "kitty" });
    expect(kind({ TERM: "xterm-256color", TERM_PROGRAM: "ghostty" })).toEqual({ kind: "kitty" });
    expect(kind({ TERM: "xterm-256color", TERM_PROGRAM: "iTerm.app" })).toEqual({ kind: "iterm" });
    expect(kind({ TERM: "xterm-256color", COLORTERM: "truecolor" })).toEqual({
      kind: "blocks",
      colours: "true",
      columns: 100,
    });
    expect(kind({ TERM: "xterm-256color" })).toEqual({ kind: "blocks", colours: "256", columns: 100 });
    expect(kind({ TERM: "xterm" })).toEqual({ kind: "none" });
  });

  it("shows nothing without a terminal or colours", () => {
    const env = { TERM: "xterm-kitty", COLORTERM: "truecolor" };
    expect(terminalPictures({}, env)).toEqual({ kind: "none" });
    expect(terminalPictures(tty, { ...env, NO_COLOR: "1" })).toEqual({ kind: "none" });
    expect(terminalPictures(tty, { ...env, TERM: "dumb" })).toEqual({ kind: "none" });
  });

  it("keeps to blocks inside a multiplexer", () => {
    const env = { TERM: "tmux-256color", TMUX: "/socket", TERM_PROGRAM: "iTerm.app", COLORTERM: "truecolor" };
    expect(terminalPictures(tty, env)).toEqual({ kind: "blocks", colours: "true", columns: 100 });
  });
});

describe("showPicture", () => {
  // Red over green, blue over white.
  const pixels = { width: 2, height: 2, data: Uint8Array.of(255, 0, 0, 0, 0, 255, 0, 255, 0, 255, 255, 255) };
  const png = new Uint8Array(4000).fill(7);

  it("draws two pixels a letter", async () => {
    expect(await showPicture(pixels, png, { kind: "blocks", colours: "true", columns: 80 })).toBe(
      "\u001b[38;2;255;0;0;48;2;0;255;0m▀\u001b[38;2;0;0;255;48;2;255;255;255m▀\u001b[0m\n",
    );
    expect(await showPicture(pixels, png, { kind: "blocks", colours: "256", columns: 80 })).toBe(
      "\u001b[38;5;196;48;5;46m▀\u001b[38;5;21;48;5;231m▀\u001b[0m\n",
    );
  });

  it("makes large pictures as wide as there is room", async () => {
    const large = { width: 200, height: 100, data: new Uint8Array(60000).fill(9) };
    const text = await showPicture(large, png, { kind: "blocks", colours: "true", columns: 40 });
    const lines = text.trimEnd().split("\n");
    expect(lines.length).toBe(10);
    for (const line of lines) expect(line.split("▀").length - 1).toBe(40);
  });

  it("hands the file over in the terminals' own protocols", async () => {
    const base64 = Buffer.from(png).toString("base64");
    const kitty = await showPicture(pixels, png, { kind: "kitty" });
    expect(kitty).toBe(
      `\u001b_Gf=100,a=T,m=1;${base64.slice(0, 4096)}\u001b\\\u001b_Gm=0;${base64.slice(4096)}\u001b\\\n`,
    );
    expect(await showPicture(pixels, png, { kind: "iterm" })).toBe(
      `\u001b]1337;File=inline=1;size=4000:${base64}\u0007\n`,
    );
    expect(await showPicture(pixels, png, { kind: "none" })).toBe("");
  });
});
