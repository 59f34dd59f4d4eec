import { CheckpointError } from "../errors.ts";
import { input, type Value } from "../graph/value.ts";
import { type ClipTextConfig, clipTextModel } from "./clip.ts";
import { projectedText } from "./clip-pooling.ts";
import { type Layers, layers, plainRule, type WeightRule } from "./layers.ts";
import type { AdditionConfig, UNetConfig } from "./unet/config.ts";
import { type UNetInputs, unet } from "./unet/unet.ts";
import { decodeLatents, encodePictures } from "./vae/autoencoder-kl.ts";
import { decodeLatentsTiny, encodePicturesTiny, type TinyAutoencoderConfig } from "./vae/autoencoder-tiny.ts";
import { type AutoencoderConfig, downscale } from "./vae/config.ts";

/** A linear layer or convolution of a model: what adapters can change. */
export interface ModuleEntry {
  /** Dotted path in diffusers. */
  readonly path: string;
  readonly kind: "linear" | "conv";
  /** `[out, in]`, or `[out, in, height, width]` of a convolution. */
  readonly weight: readonly number[];
}

/** A named tensor of a model. */
export interface ParameterShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** All that a model asks its parameters for, in the order in which it does. */
export interface ModelTable {
  readonly modules: readonly ModuleEntry[];
  readonly parameters: readonly ParameterShape[];
}

/**
 * The table of a model, found by building its graph once and writing down what it asks for.
 * @throws CheckpointError when a parameter is asked for in two shapes
 */
export function tableOf(build: (layers: Layers) => void): ModelTable {
  const modules = new Map<string, ModuleEntry>();
  const parameters = new Map<string, Value>();
  const record = (path: string, kind: ModuleEntry["kind"], { shape }: Value): void => {
    modules.set(path, { path, kind, weight: shape });
  };
  const rule: WeightRule = {
    linear: (path, x, weight, bias) => {
      record(path, "linear", weight);
      return plainRule.linear(path, x, weight, bias);
    },
    conv: (path, x, weight, bias, options) => {
      record(path, "conv", weight);
      return plainRule.conv(path, x, weight, bias, options);
    },
  };
  const source = (name: string, shape: readonly number[]): Value => {
    const known = parameters.get(name);
    if (known !== undefined && known.shape.join() !== shape.join()) {
      throw new CheckpointError(
        `the model asks for "${name}" as [${known.shape.join(", ")}] and as [${shape.join(", ")}].`,
      );
    }
    const value = known ?? input(name, shape);
    parameters.set(name, value);
    return value;
  };
  build(layers(source, rule));
  return {
    modules: [...modules.values()],
    parameters: Array.from(parameters, ([name, { shape }]) => ({ name, shape })),
  };
}

/** Layers and parameters of a U-Net. */
export function unetTable(config: UNetConfig): ModelTable {
  const side = 2 ** (config.down.length - 1);
  return tableOf((at) => {
    unet(at, config, {
      latents: input("latents", [config.inChannels, 1, side, side]),
      timesteps: input("timesteps", [1]),
      context: input("context", [1, config.contextWidth]),
      ...(config.guidanceWidth === undefined ? {} : { guidance: input("guidance", [1, config.guidanceWidth]) }),
      ...(config.addition === undefined ? {} : { addition: additionInputs(config.addition) }),
    });
  });
}

/** Any division of the width into text and sinusoids asks for the same parameters: that without sizes does. */
function additionInputs({ inputWidth }: AdditionConfig): NonNullable<UNetInputs["addition"]> {
  return { pooled: input("pooled", [1, inputWidth]), sizes: input("sizes", [1, 0]) };
}

/** Layers and parameters of a CLIP text encoder. */
export function clipTextTable(config: ClipTextConfig): ModelTable {
  return tableOf((at) => {
    const { lastHiddenState } = clipTextModel(at, config, input("ids", [1, 1], "int64"));
    if (config.projectionWidth !== undefined) projectedText(at, config, lastHiddenState, input("ends", [1], "int64"));
  });
}

/** Layers and parameters of an autoencoder, encoder first. */
export function autoencoderTable(config: AutoencoderConfig): ModelTable {
  const side = downscale(config);
  return tableOf((at) => {
    encodePictures(at, config, input("pictures", [config.inChannels, 1, side, side]));
    decodeLatents(at, config, input("latents", [config.latentChannels, 1, 1, 1]));
  });
}

/** Layers and parameters of a tiny autoencoder, encoder first. */
export function tinyAutoencoderTable(config: TinyAutoencoderConfig): ModelTable {
  const side = 2 ** (config.encoder.length - 1);
  return tableOf((at) => {
    encodePicturesTiny(at, config, input("pictures", [config.inChannels, 1, side, side]));
    decodeLatentsTiny(at, config, input("latents", [config.latentChannels, 1, 1, 1]));
  });
}
