import type { Model } from "../../generate/model.ts";
import { createNetworks, type Networks } from "../../generate/networks.ts";
import { latentColours, linearPreview, type Preview } from "../../generate/preview.ts";
import { type ChosenLoras, loraHashes } from "../../node/draw/choose-loras.ts";
import { type LoraSwap, loraSwap } from "../../node/lora-swap.ts";
import { adaptedModel, type ChosenAdapter, type OpenedModel, openModel } from "../../node/open-model.ts";
import type { Runtime } from "../../runtime/runtime.ts";

/** Networks of so many sizes and batches stay compiled; for more, all are compiled again when they are needed. */
const mostShapes = 8;

/** A model whose networks stay ready from one drawing to the next. */
export interface LoadedModel {
  readonly path: string;
  readonly opened: OpenedModel;
  readonly model: Model;
  readonly networks: Networks;
  readonly swap: LoraSwap;
  readonly preview: Preview;
  /** Puts LoRAs in, unless they are; says what is in, and the hashes that pictures name. */
  use(chosen: ChosenLoras): Promise<LorasInUse>;
  /** To be called before a shape is drawn, so that the memory of compiled networks stays bounded. */
  room(shape: string): Promise<void>;
  close(): Promise<void>;
}

export interface LorasInUse {
  readonly adapters: readonly ChosenAdapter[];
  readonly hashes: ReadonlyMap<string, string>;
}

export async function loadModel(path: string, runtime: Runtime): Promise<LoadedModel> {
  const opened = await openModel(path);
  try {
    const model = await adaptedModel(opened, []);
    const networks = createNetworks(runtime, model);
    const swap = loraSwap(opened, networks);
    const colours = latentColours(model.autoencoder);
    const shapes = new Set<string>();
    let inUse: { readonly key: string; readonly loras: LorasInUse } | undefined;
    return {
      path,
      opened,
      model,
      networks,
      swap,
      preview: colours === undefined ? decoded(networks) : linearPreview(colours),
      async use(chosen) {
        const choices = chosen.loras.map(({ choice }) => choice);
        // Weights that change with the steps are functions, so they are told apart by what was written.
        const key = JSON.stringify([chosen.loras, tagsOf(chosen.taggedPrompt)]);
        if (inUse?.key === key && !changesBySteps(inUse.loras)) return inUse.loras;
        inUse = undefined;
        const adapters = await swap.use(choices);
        inUse = { key, loras: { adapters, hashes: await loraHashes(chosen) } };
        return inUse.loras;
      },
      async room(shape) {
        if (shapes.has(shape)) return;
        if (shapes.size >= mostShapes) {
          await networks.dispose();
          shapes.clear();
        }
        shapes.add(shape);
      },
      async close() {
        await networks.dispose();
        await opened.folder.close();
      },
    };
  } catch (error) {
    await opened.folder.close();
    throw error;
  }
}

const changesBySteps = ({ adapters }: LorasInUse): boolean => adapters.some(({ steps }) => steps !== undefined);

const tagsOf = (prompt: string): readonly string[] => prompt.match(/<[^<>]*>/g) ?? [];

function decoded({ decode }: Networks): Preview {
  return async (latents, signal) => {
    const picture = await decode(latents, signal);
    return { ...picture, shape: picture.shape.slice(1) };
  };
}
