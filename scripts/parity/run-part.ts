/** Runs one network that `full-size.py` made and prints, as JSON, how far it is from the reference: `run-part.ts FOLDER CLASS`. */
import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { readSafetensorsHeader, readTensor } from "../../src/formats/safetensors.ts";
import { encode } from "../../src/graph/encode.ts";
import { input, type Value } from "../../src/graph/value.ts";
import type { PartKind } from "../../src/models/checkpoint/names.ts";
import { inPlaceParameters } from "../../src/models/checkpoint/parameters.ts";
import { readStoredWeights } from "../../src/models/checkpoint/stored-weights.ts";
import { clipTextConfig, clipTextModel } from "../../src/models/clip.ts";
import { projectedText } from "../../src/models/clip-pooling.ts";
import { type Layers, layers } from "../../src/models/layers.ts";
import { swapBatchAndChannels } from "../../src/models/maps.ts";
import { unetConfig } from "../../src/models/unet/config.ts";
import { unet } from "../../src/models/unet/unet.ts";
import { decodeLatents, encodePictures } from "../../src/models/vae/autoencoder-kl.ts";
import { autoencoderConfig } from "../../src/models/vae/config.ts";
import { openModelFolder } from "../../src/node/model-folder.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

/** What one network's comparison gave. */
export interface PartResult {
  readonly parameters: number;
  /** Largest error of each output, over the output's largest value. */
  readonly errors: Readonly<Record<string, number>>;
  readonly theirSeconds: number;
  readonly ourSeconds: number;
  readonly compileSeconds: number;
  /** Most memory that our process held, in GiB. */
  readonly peakGib: number;
  readonly versions: string;
}

type Values = Readonly<Record<string, Value>>;

const kinds: Readonly<Record<string, PartKind>> = {
  UNet2DConditionModel: "unet",
  AutoencoderKL: "autoencoder",
  CLIPTextModel: "text-encoder",
  CLIPTextModelWithProjection: "text-encoder",
};

/** The graph of a network, its results under the names that the reference gives them. */
function graphOf(kind: PartKind, at: Layers, json: unknown, given: Values): Record<string, Value> {
  const maps = (name: string): Value => swapBatchAndChannels(given[name]!);
  if (kind === "unet") {
    const { pooled, sizes } = given;
    const output = unet(at, unetConfig(json), {
      latents: maps("latents"),
      timesteps: given["timesteps"]!,
      context: given["context"]!,
      ...(pooled === undefined || sizes === undefined ? {} : { addition: { pooled, sizes } }),
    });
    return { output: swapBatchAndChannels(output) };
  }
  if (kind === "autoencoder") {
    const config = autoencoderConfig(json);
    const { mean, logVariance } = encodePictures(at, config, maps("pictures"));
    const decoded = decodeLatents(at, config, maps("latents"));
    return Object.fromEntries(
      Object.entries({ decoded, mean, logVariance }).map(([name, x]) => [name, swapBatchAndChannels(x)]),
    );
  }
  const config = clipTextConfig(json);
  const { hiddenStates, lastHiddenState } = clipTextModel(at, config, given["ids"]!);
  return {
    penultimate: hiddenStates[config.layers - 1]!,
    last: lastHiddenState,
    ...(config.projectionWidth === undefined
      ? {}
      : { pooled: projectedText(at, config, lastHiddenState, given["ends"]!) }),
  };
}

/** Tokens are `[batch * tokens, width]` here. */
function asInput(name: string, tensor: Tensor): Tensor {
  return name === "context" ? { ...tensor, shape: tensor.shape.slice(1) } : tensor;
}

const peakGib = (): number => {
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"));
  return Number(line?.[1] ?? 0) / 2 ** 20;
};

function relativeError(actual: Tensor, expected: Tensor): number {
  const wanted = expected.data as Float32Array;
  if (actual.data.length !== wanted.length) return Number.POSITIVE_INFINITY;
  const largest = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const error = wanted.reduce((most, x, i) => {
    const distance = Math.abs(x - Number(actual.data[i]));
    return Number.isNaN(distance) ? Number.POSITIVE_INFINITY : Math.max(most, distance);
  }, 0);
  return error / largest;
}

async function compare(path: string, className: string): Promise<PartResult> {
  const kind = kinds[className]!;
  const part = basename(path);
  await using folder = await openModelFolder(dirname(path));
  const json: unknown = JSON.parse(await folder.readText(`${part}/config.json`));
  const file = await folder.source(`${part}/expected.safetensors`);
  const header = await readSafetensorsHeader(file);
  const tensors = async (beginning: string): Promise<Record<string, Tensor>> => {
    const found: Record<string, Tensor> = {};
    for (const name of header.tensors.keys()) {
      if (name.startsWith(beginning)) found[name.slice(beginning.length)] = await readTensor(file, header, name);
    }
    return found;
  };
  const inputs = Object.fromEntries(
    Object.entries(await tensors("in.")).map(([name, tensor]) => [name, asInput(name, tensor)]),
  );
  const expected = await tensors("out.");

  const weights = await readStoredWeights(folder, part, kind);
  const { source, unused } = await inPlaceParameters(weights);
  const given = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, type }]) => [name, input(name, shape, type)]),
  );
  const model = encode(graphOf(kind, layers(source), json, given));
  if (unused().length > 0) throw new Error(`${unused().length} tensors were not asked for, such as ${unused()[0]}`);
  const parameters = Number(header.metadata.get("parameters"));
  // Prepacking holds matrices twice; the largest networks leave no room for that.
  const runtime = onnxRuntime({ prepack: parameters < 1.5e9 });
  const begin = performance.now();
  const session = await runtime.compile(model, { folder: folder.path });
  const compiled = performance.now();
  const results = await session.run(inputs);
  const done = performance.now();
  await runtime.dispose();
  return {
    parameters,
    errors: Object.fromEntries(
      Object.entries(expected).map(([name, tensor]) => [name, relativeError(results[name]!, tensor)]),
    ),
    theirSeconds: Number(header.metadata.get("seconds")),
    ourSeconds: (done - compiled) / 1000,
    compileSeconds: (compiled - begin) / 1000,
    peakGib: peakGib(),
    versions: ["torch", "diffusers", "transformers"].map((name) => `${name} ${header.metadata.get(name)}`).join(", "),
  };
}

const [path = "", className = ""] = process.argv.slice(2);
console.log(JSON.stringify(await compare(path, className)));
