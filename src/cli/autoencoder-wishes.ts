import { UsageError } from "../errors.ts";
import type { Model } from "../generate/model.ts";
import { createNetworks, type Networks } from "../generate/networks.ts";
import type { Precision } from "../generate/precision.ts";
import { latentColours, linearPreview, type Preview } from "../generate/preview.ts";
import { type AutoencoderOptions, autoencoderDefaults } from "../generate/run-autoencoder.ts";
import { pixelsPerLatent } from "../generate/size.ts";
import { noTiling, type Tiling, tilingDefaults } from "../generate/tiling.ts";
import { type OpenedAutoencoder, openAutoencoder, withAutoencoder } from "../node/open-autoencoder.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** What of a command line is about the autoencoder. */
export interface AutoencoderWishes {
  /** File or folder of another one. */
  readonly vae?: string;
  /** Of one for previews. */
  readonly previewVae?: string;
  /** In tiles: from a size on, unless told; always (of this side in pixels), or never. */
  readonly vaeTiling?: boolean | number;
  readonly vaePrecision?: Precision;
}

/** The autoencoders that were asked for. */
export interface OtherAutoencoders extends AsyncDisposable {
  /** The model with the one that pictures go through. */
  readonly model: Model;
  /** Its name, when it is another than the model's own. */
  readonly name: string | undefined;
  /** The model with the one for previews. */
  readonly previewModel: Model | undefined;
}

/** @throws UsageError when one does not belong to the model; CheckpointError or FormatError when one cannot be read */
export async function openAutoencoders(model: Model, wishes: AutoencoderWishes): Promise<OtherAutoencoders> {
  const opened: OpenedAutoencoder[] = [];
  const open = async (path: string): Promise<OpenedAutoencoder> => {
    const one = await openAutoencoder(path, model.autoencoder);
    opened.push(one);
    return one;
  };
  const close = async (): Promise<void> => {
    await Promise.all(opened.map((one) => one.close()));
  };
  try {
    const { vae, previewVae } = wishes;
    const other = vae === undefined ? undefined : await open(vae);
    const forPreviews = previewVae === undefined ? undefined : await open(previewVae);
    return {
      model: other === undefined ? model : withAutoencoder(model, other),
      name: other?.name,
      previewModel: forPreviews === undefined ? undefined : withAutoencoder(model, forPreviews),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** How the autoencoder runs. @throws UsageError when tiles cannot be of the wanted side */
export function autoencoderOptions(
  model: Model,
  { vaeTiling, vaePrecision = "float32" }: AutoencoderWishes,
  onFallback: (sentence: string) => void,
): AutoencoderOptions {
  return { ...autoencoderDefaults, tiling: tilingOf(model, vaeTiling), precision: vaePrecision, onFallback };
}

function tilingOf(model: Model, wish: boolean | number | undefined): Tiling {
  if (wish === undefined) return tilingDefaults;
  if (wish === false) return noTiling;
  if (wish === true) return { ...tilingDefaults, above: 0 };
  // So that the overlap, a quarter, is a whole number of latents.
  const step = pixelsPerLatent(model) / tilingDefaults.overlap;
  if (wish % step !== 0) {
    throw new UsageError(`--vae-tiling is ${wish} pixels, but this model's tiles must be multiples of ${step}.`);
  }
  return { ...tilingDefaults, tile: wish / pixelsPerLatent(model), above: 0 };
}

/**
 * What pictures look like at each step: by the autoencoder for previews, by a small one that pictures go through anyway, by
 * the known colours of published latents, or else by the model's own.
 */
export function previewOf(runtime: Runtime, { model, previewModel }: OtherAutoencoders, networks: Networks): Preview {
  const colours = latentColours(model.autoencoder);
  if (previewModel === undefined && colours !== undefined) return linearPreview(colours);
  const { decode } = previewModel === undefined ? networks : createNetworks(runtime, previewModel);
  return async (latents, signal) => {
    const decoded = await decode(latents, signal);
    return { ...decoded, shape: decoded.shape.slice(1) };
  };
}
