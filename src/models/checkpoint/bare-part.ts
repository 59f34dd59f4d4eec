import { CheckpointError } from "../../errors.ts";
import { type TensorFile, unwrapStateDict } from "../../formats/tensor-file.ts";
import { elementCount } from "../../tensor/tensor.ts";
import { clipTextConfig } from "../clip.ts";
import { autoencoderTable, clipTextTable, type ModelTable, tinyAutoencoderTable, unetTable } from "../module-table.ts";
import { unetConfig } from "../unet/config.ts";
import { tinyAutoencoderConfig } from "../vae/autoencoder-tiny.ts";
import { autoencoderConfig } from "../vae/config.ts";
import type { ModelFamily } from "./families/family.ts";
import { modelFamilies } from "./families/index.ts";
import { inpaintingOf, lcmOf } from "./families/variants.ts";
import { diffusersName, type PartKind } from "./names.ts";
import { detectFamily } from "./original/detect-family.ts";
import { foreignKind } from "./original/foreign-files.ts";
import { type FoundPart, locateParameters } from "./original/locate.ts";
import { autoencoderNames, type PartNames, textEncoderNames, unetNames } from "./original/part-names.ts";
import { readUNetLayout } from "./original/unet-layout.ts";

/** One network of a model in a file of its own, without a configuration. */
export interface BarePart extends FoundPart {
  /** What diffusers calls the part. */
  readonly part: "unet" | "vae" | "text_encoder";
  readonly class: string;
  /** The family that it is built like; several families share an autoencoder. */
  readonly family: string;
  /** Whose names it has. */
  readonly layout: "diffusers" | "original";
  /** Keys of the file that stand for no parameter. */
  readonly leftOver: readonly string[];
}

/** One thing that a file may be: where each parameter would lie. */
interface Candidate extends Pick<BarePart, "part" | "class" | "family" | "layout"> {
  readonly kind: PartKind;
  names(): PartNames;
}

/**
 * Finds out which network of which family a file holds, by its names and shapes.
 * @returns undefined when it is none
 * @throws CheckpointError when it is a network of a kind that cannot be used
 */
export function findBarePart(
  opened: TensorFile,
  families: readonly ModelFamily[] = modelFamilies,
): BarePart | undefined {
  const file = unwrapStateDict(opened);
  const foreign = foreignKind(file.tensors.keys());
  if (foreign !== undefined) throw new CheckpointError(`${file.name}: this is ${foreign}, which is not supported.`);
  let best: { readonly fitting: number; readonly part: BarePart } | undefined;
  for (const candidate of candidates(file, families)) {
    const { kind, names, ...what } = candidate;
    const wanted = names();
    const tensors = renamed(file, candidate.layout === "diffusers" ? kind : undefined);
    const found = locateParameters({ ...file, tensors }, "", wanted);
    const shapes = new Map(wanted.parameters.map(({ name, shape }) => [name, elementCount(shape)]));
    const fitting = [...found.weights.tensors].filter(
      ([name, { entry }]) => shapes.get(name) === elementCount(entry.shape),
    ).length;
    if (2 * fitting < wanted.tensors.size || (best !== undefined && best.fitting >= fitting)) continue;
    const leftOver = [...tensors.keys()].filter((key) => !found.keys.has(key));
    best = { fitting, part: { ...what, ...found, leftOver } };
  }
  return best?.part;
}

/** A file's tensors by present names of diffusers. */
function renamed({ tensors }: TensorFile, kind: PartKind | undefined): TensorFile["tensors"] {
  if (kind === undefined) return tensors;
  return new Map(Array.from(tensors, ([key, located]) => [diffusersName(kind, key), located]));
}

function* candidates(file: TensorFile, families: readonly ModelFamily[]): Generator<Candidate> {
  const has = (...keys: readonly string[]): boolean => keys.some((key) => file.tensors.has(key));
  if (has("time_embedding.linear_1.weight")) yield* diffusersUNets(file, families);
  if (has("input_blocks.0.0.weight")) yield originalUNet(file, families);
  if (has("decoder.conv_in.weight", "encoder.conv_in.weight")) yield* autoencoders(file, families);
  if (has("decoder.layers.0.weight", "encoder.layers.0.weight", "0.weight", "1.weight")) yield* tinyAutoencoders();
  if (
    has("token_embedding.weight", "embeddings.token_embedding.weight", "text_model.embeddings.token_embedding.weight")
  )
    yield* textEncoders(families);
}

function* diffusersUNets({ tensors }: TensorFile, families: readonly ModelFamily[]): Generator<Candidate> {
  const guidance = tensors.get("time_embedding.cond_proj.weight")?.entry.shape[1];
  const inpainting = tensors.get("conv_in.weight")?.entry.shape[1] === 9;
  for (const family of families) {
    const guided = guidance === undefined ? family : lcmOf(family, guidance);
    const { name, unet } = inpainting ? inpaintingOf(guided) : guided;
    yield { ...network("unet", "UNet2DConditionModel", name), names: () => ownNames(unetTable(unetConfig(unet))) };
  }
}

function originalUNet(file: TensorFile, families: readonly ModelFamily[]): Candidate {
  const layout = readUNetLayout(new Map(Array.from(file.tensors, ([key, { entry }]) => [key, entry.shape])));
  if (layout === undefined) throw new CheckpointError(`${file.name}: its U-Net lacks layers, or is of another kind.`);
  const { name, unet } = detectFamily(layout, families, file.name);
  return {
    ...network("unet", "UNet2DConditionModel", name),
    layout: "original",
    names: () => unetNames(unetConfig(unet)),
  };
}

function* autoencoders({ tensors }: TensorFile, families: readonly ModelFamily[]): Generator<Candidate> {
  const original = [...tensors.keys()].some((key) => /^(encoder|decoder)\.mid\./.test(key));
  const builds = new Map(families.map(({ autoencoder: json }) => [JSON.stringify(json["block_out_channels"]), json]));
  for (const json of builds.values()) {
    const config = autoencoderConfig(json);
    yield {
      ...network("vae", "AutoencoderKL", "Stable Diffusion"),
      layout: original ? "original" : "diffusers",
      names: () => (original ? autoencoderNames(config) : ownNames(autoencoderTable(config))),
    };
  }
}

/** TAESD: whole, in diffusers' names, or one of its two bare files, whose keys are numbers of layers. */
function* tinyAutoencoders(): Generator<Candidate> {
  const table = tinyAutoencoderTable(tinyAutoencoderConfig({}));
  const what = network("vae", "AutoencoderTiny", "Stable Diffusion");
  yield { ...what, names: () => ownNames(table) };
  for (const half of ["encoder", "decoder"] as const) {
    const parameters = table.parameters.filter(({ name }) => name.startsWith(half));
    // The decoder's tanh is a layer of its own there.
    const shift = half === "decoder" ? 1 : 0;
    const key = (name: string): string => {
      const [, , place, ...rest] = name.split(".");
      return [Number(place) + shift, ...rest].join(".");
    };
    const tensors = new Map(parameters.map(({ name }) => [name, { key: key(name) }]));
    yield { ...what, layout: "original", names: () => ({ parameters, tensors }) };
  }
}

function* textEncoders(families: readonly ModelFamily[]): Generator<Candidate> {
  for (const { name, textEncoders: encoders } of families) {
    for (const encoder of encoders) {
      const config = clipTextConfig(encoder.config);
      const className = config.projectionWidth === undefined ? "CLIPTextModel" : "CLIPTextModelWithProjection";
      yield { ...network("text_encoder", className, name), names: () => ownNames(clipTextTable(config)) };
      const [place] = encoder.original;
      if (place.names !== "openclip") continue;
      yield {
        ...network("text_encoder", className, name),
        layout: "original",
        names: () => textEncoderNames(encoder, place),
      };
    }
  }
}

const kinds = { unet: "unet", vae: "autoencoder", text_encoder: "text-encoder" } as const;

function network(part: BarePart["part"], className: string, family: string): Omit<Candidate, "names"> {
  return { part, kind: kinds[part], class: className, family, layout: "diffusers" };
}

/** Parameters that lie where they are called. */
function ownNames({ parameters }: ModelTable): PartNames {
  return { parameters, tensors: new Map(parameters.map(({ name }) => [name, { key: name }])) };
}
