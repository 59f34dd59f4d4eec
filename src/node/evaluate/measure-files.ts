import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CheckpointError, UsageError } from "../../errors.ts";
import { type Clip, clipConfig, openClip } from "../../evaluation/clip-score.ts";
import type { FeatureNetwork } from "../../evaluation/features.ts";
import { backboneOf, type Lpips, lpips } from "../../evaluation/lpips.ts";
import { featureNetworkOf, type InceptionResizing } from "../../evaluation/open-feature-network.ts";
import { type MeasureWeights, readMeasureWeights } from "../../evaluation/weights.ts";
import { openFileSource } from "../../formats/file-source.node.ts";
import { parseJsonObject } from "../../formats/json.ts";
import { readTokenizer } from "../../models/checkpoint/diffusers-folder.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { resolveFile } from "../hub/models.ts";
import { parseHubReference } from "../hub/reference.ts";
import { fetchSnapshot, type HubOptions } from "../hub/snapshot.ts";
import { openModelFolder } from "../model-folder.ts";
import { autoencoderFeatures } from "./autoencoder-features.ts";

/** Which networks measure. */
export interface MeasureWishes {
  /** Files or a hub's `owner/name/file` of networks that make features, and of LPIPS's heads; the first measures first. */
  readonly features?: readonly string[];
  /** Folders with such files, of which those are used that are known. */
  readonly measures?: readonly string[];
  readonly resizing?: InceptionResizing;
  /** Folder or hub id of a CLIP with both towers. */
  readonly clip?: string;
}

/** Networks that measure, ready to run. */
export interface MeasureNetworks extends AsyncDisposable {
  readonly features: readonly FeatureNetwork[];
  readonly lpips: Lpips | undefined;
  readonly clip: Clip | undefined;
  /** What was missed, one sentence each. */
  readonly notes: readonly string[];
}

const isWeights = (name: string): boolean => /\.(safetensors|pth|pt|bin)$/.test(name);

const isHeads = ({ tensors }: MeasureWeights): boolean => tensors.has("lin0.model.1.weight");

/**
 * Folders that are looked into when none is named: that of the variable FOURSTEP_MEASURES, `measures` in the package, and
 * where a checkout keeps data of others that its tests read.
 */
function usualFolders(env: Readonly<Record<string, string | undefined>>): string[] {
  const root = fileURLToPath(new URL("../../../", import.meta.url));
  const { FOURSTEP_MEASURES: told } = env;
  const places = [join(root, "measures"), join(root, "..", "shared", "data", "lpips")];
  return (told === undefined || told === "" ? places : [told]).filter((place) => existsSync(place));
}

/**
 * Opens the networks that measure: those of the files and folders given, or found; without any, the shipped model's own
 * autoencoder makes the features.
 * @throws UsageError when a file or folder is missing; CheckpointError when a file that was named holds no known network
 */
export async function openMeasures(
  runtime: Runtime,
  { features = [], measures, resizing, clip }: MeasureWishes,
  hub: HubOptions,
): Promise<MeasureNetworks> {
  const named: MeasureWeights[] = [];
  for (const text of features) {
    const path = await resolveFile(text, hub);
    if ((await stat(path).catch(() => undefined))?.isFile() !== true)
      throw new UsageError(
        `${text}: there is no such file; --features takes a file of weights or a hub's owner/name/file.`,
      );
    named.push(await readWeights(path));
  }
  const found = await weightsIn(measures ?? usualFolders(hub.env), measures !== undefined);
  const networks: FeatureNetwork[] = [];
  const wanted = named.filter((one) => !isHeads(one));
  const options = resizing === undefined ? {} : { resizing };
  for (const weights of wanted) networks.push(await featureNetworkOf(runtime, weights, options));
  if (wanted.length === 0) {
    for (const weights of found) {
      if (isHeads(weights)) continue;
      const network = await featureNetworkOf(runtime, weights, options).catch(unknownNetwork);
      if (network !== undefined) networks.push(network);
    }
  }
  const notes: string[] = [];
  if (networks.length === 0) {
    networks.push(await autoencoderFeatures(runtime));
    notes.push(
      "No published network is at hand, so the features are the shipped model's own latents; give Inception v3 or another by --features.",
    );
  }
  const perceptual = openLpips(runtime, [...named, ...found]);
  if (perceptual === undefined) {
    notes.push(
      "LPIPS is left out: it needs a backbone of torchvision (squeezenet1_1, alexnet or vgg16) and LPIPS 0.1's heads for it, both in a folder that --measures names.",
    );
  }
  const both = clip === undefined ? undefined : await openClipFolder(runtime, clip, hub);
  return {
    features: networks,
    lpips: perceptual,
    clip: both,
    notes,
    async [Symbol.asyncDispose]() {
      for (const network of networks) await network.dispose();
      await perceptual?.dispose();
      await both?.dispose();
    },
  };
}

function unknownNetwork(error: unknown): undefined {
  if (error instanceof CheckpointError) return undefined;
  throw error;
}

async function readWeights(path: string): Promise<MeasureWeights> {
  await using source = await openFileSource(path);
  return await readMeasureWeights(source);
}

/** All files of weights in folders. */
async function weightsIn(folders: readonly string[], told: boolean): Promise<MeasureWeights[]> {
  const all: MeasureWeights[] = [];
  for (const folder of folders) {
    const names = await readdir(folder).catch((cause: Error) => {
      throw new UsageError(`${folder}: the folder of measures cannot be read (${cause.message}).`, { cause });
    });
    const weights = names.filter(isWeights).sort();
    if (told && weights.length === 0)
      throw new UsageError(`${folder}: there is no file of weights (.safetensors, .pth, .pt or .bin) in this folder.`);
    for (const name of weights) all.push(await readWeights(join(folder, name)));
  }
  return all;
}

/** LPIPS by the first heads that belong to a backbone among the weights. */
function openLpips(runtime: Runtime, all: readonly MeasureWeights[]): Lpips | undefined {
  for (const heads of all.filter(isHeads)) {
    for (const backbone of all) {
      if (isHeads(backbone)) continue;
      try {
        backboneOf(backbone);
        return lpips(runtime, backbone, heads);
      } catch (error) {
        // Heads of another backbone, or another network: the next may fit.
        unknownNetwork(error);
      }
    }
  }
  return undefined;
}

const clipFiles =
  /^(config\.json|model\.safetensors|vocab\.json|merges\.txt|special_tokens_map\.json|tokenizer_config\.json)$/;

async function openClipFolder(runtime: Runtime, text: string, hub: HubOptions): Promise<Clip> {
  const reference = existsSync(text) ? undefined : parseHubReference(text);
  const path =
    reference === undefined
      ? text
      : (await fetchSnapshot(reference, (paths) => paths.filter((one) => clipFiles.test(one)), hub)).folder;
  await using folder = await openModelFolder(path);
  const weights = ["model.safetensors", "pytorch_model.bin"];
  let file: string | undefined;
  for (const name of weights) if (file === undefined && (await folder.exists(name))) file = name;
  if (file === undefined)
    throw new UsageError(
      `${text}: a CLIP's config.json, model.safetensors and tokenizer were expected in this folder.`,
    );
  const { tokenizer } = await readTokenizer(folder, ".");
  return await openClip(runtime, {
    name: reference?.repo ?? text.replaceAll("\\", "/").replace(/\/+$/, "").split("/").at(-1)!,
    config: clipConfig(parseJsonObject(await folder.readText("config.json"), "config.json"), "config.json"),
    weights: await readMeasureWeights(await folder.source(file)),
    tokenizer,
  });
}
