import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runFourstep } from "../../test/cli-run.ts";
import { writeTinyModel } from "../../test/tiny-model.ts";
import { packageVersion } from "../node/package-version.ts";
import { runCli } from "./run-cli.ts";

let folder = "";
let model = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fourstep-main-"));
  model = join(folder, "tiny");
  await writeTinyModel(model);
});
afterAll(() => rm(folder, { recursive: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(script: readonly string[]): ChildProcess {
  return spawn(process.execPath, ["--import", "tsx", ...script], { stdio: ["ignore", "pipe", "pipe"] });
}

function ended(child: ChildProcess): Promise<Ended> {
  const written = { stdout: "", stderr: "" };
  child.stdout?.on("data", (bytes) => (written.stdout += String(bytes)));
  child.stderr?.on("data", (bytes) => (written.stderr += String(bytes)));
  return new Promise((resolve, reject) => {
    child.on("error", reject).on("close", (code) => resolve({ code, ...written }));
  });
}

const fourstep = (...args: string[]): ChildProcess => start(["src/cli/main.ts", ...args]);

describe("the program", () => {
  it("draws a picture and prints one object", async () => {
    const out = join(folder, "drawn");
    const child = fourstep(
      "generate",
      "a red apple",
      "--model",
      model,
      "--out",
      out,
      "--seed",
      "3",
      "--steps",
      "8",
      "--json",
    );
    const { code, stdout, stderr } = await ended(child);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({
      images: [{ path: join(out, "a-red-apple-3.png"), seed: 3 }],
      sampler: "ddim",
      steps: 8,
      networkCalls: 16,
    });
    expect(await readdir(out)).toEqual(["a-red-apple-3.png"]);
  });

  it("ends with 130 on Ctrl-C, keeping the pictures that are done", async () => {
    const out = join(folder, "stopped");
    const child = fourstep("generate", "a red apple", "--model", model, "--out", out, "--count", "5000");
    child.stdout?.once("data", () => child.kill("SIGINT"));
    const { code, stdout, stderr } = await ended(child);
    expect(code).toBe(130);
    expect(stderr).toMatch(/fourstep: \d+ of 5000 pictures were drawn\.\nfourstep: stopped\.\n$/);
    const lines = stdout.trimEnd().split("\n").length;
    expect(lines).toBeLessThan(5000);
    expect((await readdir(out)).length).toBe(lines);
  });

  it("shows its help without loading the runtime or the picture library", async () => {
    const script = `
      process.argv[1] = undefined;
      const { main } = await import("./src/cli/main.ts");
      const silent = { write: () => true };
      const signal = new AbortController().signal;
      const code = await main(["generate", "--help"], { stdout: silent, stderr: silent, env: {}, signal });
      process.report.excludeNetwork = true;
      const { sharedObjects } = process.report.getReport();
      console.log(JSON.stringify({ code, loaded: sharedObjects.filter((path) => /onnxruntime|sharp|libvips/.test(path)) }));
    `;
    const { code, stdout } = await ended(start(["--input-type=module", "--eval", script]));
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ code: 0, loaded: [] });
  });
});

describe("main", () => {
  it("prints help and version", async () => {
    expect(await runFourstep(["--version"])).toEqual({ code: 0, stdout: `${packageVersion()}\n`, stderr: "" });
    const { code, stdout, stderr } = await runFourstep(["--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const verb of ["generate", "inspect"]) expect(stdout).toContain(`  ${verb} `);
    expect((await runFourstep(["generate", "--help"])).stdout).toContain("--lora <file[:weight");
  });

  it("answers bad usage with code 2 and one sentence", async () => {
    const unknown = await runFourstep(["generat", "x"]);
    expect(unknown).toEqual({
      code: 2,
      stdout: "",
      stderr: "fourstep: unknown command 'generat' (Did you mean generate?)\n",
    });
    const missing = await runFourstep(["generate"]);
    expect(missing).toEqual({ code: 2, stdout: "", stderr: "fourstep: missing required argument 'prompt'\n" });
    expect((await runFourstep([])).code).toBe(2);
  });

  it("answers failures of its own with code 1 and one line", async () => {
    let stderr = "";
    const context = {
      stdout: { write: () => true },
      stderr: { write: (text: string) => (stderr += text) },
      env: {},
      signal: new AbortController().signal,
    };
    const failing = (message: string) => (program: Parameters<typeof runFailing>[0]) => runFailing(program, message);
    expect(await runCli([failing("a first line\n  and a second")], ["fail"], context, "1.0.0")).toBe(1);
    expect(stderr).toBe("fourstep: a first line and a second\n");
  });
});

function runFailing(program: Parameters<Parameters<typeof runCli>[0][number]>[0], message: string): void {
  program.command("fail").action(() => Promise.reject(new TypeError(message)));
}
