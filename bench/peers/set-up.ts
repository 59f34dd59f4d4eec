import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";

/** Where the environment, the models and the results lie; git passes it over. */
export const root: string = resolve("runs/bench-peers");

/** The environment's Python. */
export const python: string = `${root}/venv/bin/python`;

/** Why a peer cannot run here, by its name. */
export type Failures = Map<string, string>;

const lastLines = (error: unknown): string => {
  const text = String((error as { stderr?: unknown }).stderr ?? error).trim();
  const lines = text.split("\n").filter((line) => /error|No such|not found|failed/i.test(line));
  return (lines.length > 0 ? lines : text.split("\n")).slice(-2).join(" / ").slice(0, 300);
};

function execute(command: string, args: readonly string[]): void {
  execFileSync(command, [...args], { stdio: ["ignore", 2, "pipe"], env: { ...process.env, HF_HUB_OFFLINE: "1" } });
}

/**
 * Optimum asks for torchvision, which an index may offer for CUDA only where torch is for the processor; such a pair keeps
 * transformers from being imported, and no contender uses it.
 */
function dropBrokenTorchvision(): void {
  try {
    execute(python, [
      "-c",
      "import torch, importlib.util as u; u.find_spec('torchvision') and __import__('torchvision')",
    ]);
  } catch {
    execute(python, ["-m", "pip", "uninstall", "--quiet", "--yes", "torchvision"]);
  }
}

/**
 * Makes the environment, unless it stands, and installs the packages of each peer in turn: one that cannot be installed
 * does not keep the others out.
 * @param hostPython a Python 3.11 or newer with venv
 */
export async function installPeers(
  hostPython: string,
  packages: Readonly<Record<string, readonly string[]>>,
  failures: Failures,
): Promise<void> {
  await mkdir(root, { recursive: true });
  if (!existsSync(python)) execute(hostPython, ["-m", "venv", `${root}/venv`]);
  for (const [peer, wanted] of Object.entries(packages)) {
    const mark = `${root}/venv/${peer}.installed`;
    const list = wanted.join("\n");
    if (existsSync(mark) && (await readFile(mark, "utf8")) === list) continue;
    console.error(`installing ${wanted.join(", ")}`);
    try {
      execute(python, ["-m", "pip", "install", "--quiet", "--find-links", `${root}/wheels`, ...wanted]);
      dropBrokenTorchvision();
      await writeFile(mark, list);
    } catch (error) {
      failures.set(peer, `could not be installed: ${lastLines(error)}`);
    }
  }
}

/**
 * Makes the model that all draw with, and OpenVINO's form of it, unless they stand.
 * @throws Error when the model itself cannot be made
 */
export function makeModels(data: string, peers: readonly string[], failures: Failures): void {
  const file = (name: string): string => resolve("bench/peers", name);
  if (!existsSync(`${root}/work.json`)) {
    console.error("making a random Stable Diffusion 1.5");
    execute(python, [file("make_model.py"), root, `${data}/clip`, `${data}/taesd`]);
  }
  if (!peers.includes("openvino") || failures.has("openvino") || existsSync(`${root}/openvino-tiny`)) return;
  console.error("converting it for OpenVINO");
  try {
    execute(python, [file("convert_openvino.py"), root]);
  } catch (error) {
    failures.set("openvino", `the model could not be converted: ${lastLines(error)}`);
  }
}
