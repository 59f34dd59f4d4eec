import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** Which hub is asked, and where its files are kept: what Python's `huggingface_hub` reads from the environment. */
export interface HubSettings {
  /** Address without a slash at its end. */
  readonly endpoint: string;
  /** Folder that holds `models--owner--name`. */
  readonly cache: string;
  readonly token: string | undefined;
  /** Whether only the cache may be used. */
  readonly offline: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Settings from `HF_ENDPOINT`, `HF_HUB_CACHE` (or `HUGGINGFACE_HUB_CACHE`, `HF_HOME`, `XDG_CACHE_HOME`), `HF_TOKEN` (or
 * `HUGGING_FACE_HUB_TOKEN`, or the file that `hf auth login` writes) and `HF_HUB_OFFLINE`.
 */
export async function hubSettings(env: Environment): Promise<HubSettings> {
  const given = (...names: readonly string[]): string | undefined =>
    names.map((name) => env[name]?.trim()).find((value) => value !== undefined && value !== "");
  const home = given("HF_HOME") ?? join(given("XDG_CACHE_HOME") ?? join(homedir(), ".cache"), "huggingface");
  const tokenFile = given("HF_TOKEN_PATH") ?? join(home, "token");
  const offline = given("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE");
  return {
    endpoint: (given("HF_ENDPOINT") ?? "https://huggingface.co").replace(/\/+$/, ""),
    cache: given("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? join(home, "hub"),
    token: given("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") ?? (await readToken(tokenFile)),
    offline: offline !== undefined && /^(1|on|yes|true)$/i.test(offline),
  };
}

async function readToken(file: string): Promise<string | undefined> {
  const text = await readFile(file, "utf8").catch(() => "");
  return text.trim() === "" ? undefined : text.trim();
}
