import { createHash } from "node:crypto";
import { type LoraModule, loraRank } from "../../adapters/lora.ts";
import { headerLength, lengthBytes } from "../../formats/safetensors-header.ts";

/** A published base as sd-scripts and the ModelSpec name it. */
interface BaseNames {
  readonly version: string;
  readonly architecture: string;
  readonly resolution: string;
}

const baseNames: Readonly<Record<string, BaseNames>> = {
  "Stable Diffusion 1.5": { version: "sd_v1", architecture: "stable-diffusion-v1", resolution: "512x512" },
  "Stable Diffusion 2.1": { version: "sd_v2_v", architecture: "stable-diffusion-v2-768-v", resolution: "768x768" },
  "Stable Diffusion XL": {
    version: "sdxl_base_v1-0",
    architecture: "stable-diffusion-xl-v1-base",
    resolution: "1024x1024",
  },
};

/** What a LoRA's file says of itself, as sd-scripts' own tools for merging and extracting write it. */
export interface LoraFacts {
  readonly title: string;
  /** The published family that it fits; undefined where it is none. */
  readonly family: string | undefined;
  readonly modules: readonly LoraModule[];
  /** Names of the files that it was made of. */
  readonly madeOf: readonly string[];
}

/** The metadata of a LoRA but for its hashes: `ss_*` as sd-scripts has them and `modelspec.*` of the ModelSpec. */
export function loraMetadata({ title, family, modules, madeOf }: LoraFacts): Record<string, string> {
  const base = family === undefined ? undefined : baseNames[family];
  const linear = modules.filter(({ down }) => down.shape.slice(2).every((size) => size === 1));
  const convolutions = modules.filter((module) => !linear.includes(module));
  const main = linear.length > 0 ? linear : modules;
  const convolutionArguments =
    convolutions.length === 0
      ? {}
      : {
          ss_network_args: JSON.stringify({
            conv_dim: common(convolutions.map(loraRank)),
            conv_alpha: common(convolutions.map(({ alpha }) => alpha)),
          }),
        };
  return {
    ss_network_module: "networks.lora",
    ss_network_dim: common(main.map(loraRank)),
    ss_network_alpha: common(main.map(({ alpha }) => alpha)),
    ...convolutionArguments,
    ss_output_name: title,
    ...(base === undefined ? {} : { ss_base_model_version: base.version, ss_v2: pythonBoolean(family) }),
    ...(base === undefined ? {} : modelSpec(base, family, title)),
    "modelspec.merged_from": madeOf.join(", "),
  };
}

function pythonBoolean(family: string | undefined): string {
  return family === "Stable Diffusion 2.1" ? "True" : "False";
}

function modelSpec(
  { architecture, resolution }: BaseNames,
  family: string | undefined,
  title: string,
): Record<string, string> {
  return {
    "modelspec.sai_model_spec": "1.0.0",
    "modelspec.architecture": `${architecture}/lora`,
    "modelspec.implementation":
      family === "Stable Diffusion XL" ? "https://github.com/Stability-AI/generative-models" : "diffusers",
    "modelspec.title": title,
    "modelspec.resolution": resolution,
  };
}

/** The number that all have, or sd-scripts' word where they differ. */
function common(numbers: readonly number[]): string {
  const [first = 0] = numbers;
  return numbers.every((number) => number === first) ? String(first) : "Dynamic";
}

/** What a whole model's file says of itself; nothing where its family is not a published one. */
export function modelMetadata(
  title: string,
  family: string | undefined,
  madeOf: readonly string[],
): Record<string, string> {
  const base = family === undefined ? undefined : baseNames[family];
  const merged = { "modelspec.merged_from": madeOf.join(", ") };
  if (base === undefined) return merged;
  return {
    "modelspec.sai_model_spec": "1.0.0",
    "modelspec.architecture": base.architecture,
    "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
    "modelspec.title": title,
    "modelspec.resolution": base.resolution,
    ...merged,
  };
}

/** Where the older of both hashes begins, and how far it goes. */
const legacyStart = 0x100000;
const legacyLength = 0x10000;

/**
 * The hashes by which web interfaces know a LoRA, as sd-scripts computes them of a file that has no metadata but `ss_*`:
 * SHA-256 of all that follows the header, and the first 8 digits of that of 64 KiB after the first MiB.
 */
export function loraHashes(bytes: Uint8Array): { readonly sshs_model_hash: string; readonly sshs_legacy_hash: string } {
  const start = lengthBytes + headerLength(bytes.subarray(0, lengthBytes), bytes.length, "the LoRA");
  const digest = (part: Uint8Array): string => createHash("sha256").update(part).digest("hex");
  return {
    sshs_model_hash: digest(bytes.subarray(start)),
    sshs_legacy_hash: digest(bytes.subarray(legacyStart, legacyStart + legacyLength)).slice(0, 8),
  };
}
