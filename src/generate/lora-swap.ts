import { loraRank } from "../adapters/lora.ts";
import { type AdapterSlots, adapterSlots } from "../adapters/slots.ts";
import { UsageError } from "../errors.ts";
import type { DiffusersModel } from "../models/checkpoint/diffusers-folder.ts";
import { unetTable } from "../models/module-table.ts";
import {
  type ChosenAdapter,
  type LoraChoice,
  type LoraReader,
  readChosenLoras,
  weightedAdapters,
  weightedTextAdapters,
} from "./chosen-loras.ts";
import { type ModelPlace, type TextAdapters, textsFromFolder, unetFromFolder } from "./model.ts";
import type { Networks } from "./networks.ts";

/** A model whose networks are compiled: its files and where the runtime finds them. */
export interface SwappableModel {
  readonly files: DiffusersModel;
  readonly place: ModelPlace;
}

/** Exchanges the LoRAs of networks that stay compiled. */
export interface LoraSwap {
  /** Those in use, in the order of the choices. */
  readonly adapters: readonly ChosenAdapter[];
  /**
   * Draws with these LoRAs and weights from the next prediction on, in place of those before; none is the base, to the last
   * bit. Files that are in use are not read again. Where it throws, those before stay. One exchange waits for the other;
   * a drawing that is under way goes on with the new ones.
   * @throws AdapterError when a LoRA does not fit the model, UsageError when a file is missing or a weight is not finite
   */
  use(choices: readonly LoraChoice[]): Promise<readonly ChosenAdapter[]>;
  /**
   * What to call before each step of a drawing, as `DrawingRequest.beforeStep`, so that weights change with the steps: they
   * are not merged, but low-rank branches whose factors are given at each run. Undefined when no LoRA in use has such weights.
   * @param count steps of the drawing
   */
  beforeStep(count: number): ((index: number) => Promise<void>) | undefined;
}

/**
 * @param networks of that model, created from it with `adapters`
 * @param read gets LoRAs that are not in use yet
 */
export function adapterSwap(
  opened: SwappableModel,
  networks: Pick<Networks, "replaceUNet" | "replaceTextEncoders">,
  read: LoraReader,
  adapters: readonly ChosenAdapter[] = [],
): LoraSwap {
  let inUse = adapters;
  /** Room for the weights that change with the steps; undefined when none do, or the networks have not got it yet. */
  let slots: AdapterSlots | undefined;
  let texts = weightedTextAdapters(adapters);
  let last: Promise<unknown> = Promise.resolve();

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
  const apply = async (chosen: readonly ChosenAdapter[]): Promise<void> => {
    const { files, place } = opened;
    const changing = chosen.filter(changes);
    const constant = weightedAdapters(chosen.filter((one) => !changes(one)));
    const room = changing.length === 0 ? undefined : slotsFor(opened, changing);
    room?.fill(weightedAdapters(changing));
    const unet = await unetFromFolder(files, place, constant);
    const otherTexts = weightedTextAdapters(chosen);
    const encoders = sameTexts(texts, otherTexts) ? undefined : await textsFromFolder(files, place, otherTexts);
    await networks.replaceUNet(room === undefined ? unet : { ...unet, slots: room });
    slots = room;
    if (encoders === undefined) return;
    await networks.replaceTextEncoders(encoders);
    texts = otherTexts;
  };

  return {
    get adapters() {
      return inUse;
    },
    use: (choices) =>
      inTurn(async () => {
        const known = new Map(inUse.map(({ path, adapter }) => [path, adapter]));
        const chosen = await readChosenLoras(opened.files, choices, read, known);
        await apply(chosen);
        inUse = chosen;
        return chosen;
      }),
    beforeStep(count) {
      if (!inUse.some(changes)) return undefined;
      return (index) =>
        inTurn(async () => {
          if (slots === undefined) await apply(inUse);
          slots?.fill(weightedAdapters(inUse.filter(changes), [index, count]));
        });
    },
  };
}

const changes = ({ steps }: ChosenAdapter): boolean => steps !== undefined;

/** Whether the text encoders have the same changes in the same order; then they are not compiled anew. */
function sameTexts(a: TextAdapters, b: TextAdapters): boolean {
  return (["textEncoder", "textEncoder2"] as const).every(
    (part) =>
      a[part].length === b[part].length &&
      a[part].every(({ lambda, modules }, i) => lambda === b[part][i]!.lambda && modules === b[part][i]!.modules),
  );
}

/**
 * Room for these LoRAs in the layers that they change. A step costs their low-rank products more; an exchange of merged
 * weights would cost as much as several steps of a small model, at each change.
 */
function slotsFor({ files }: SwappableModel, changing: readonly ChosenAdapter[]): AdapterSlots {
  const ranks = new Map<string, number>();
  for (const { adapter } of changing) {
    const [other] = adapter.changes;
    if (other === undefined) continue;
    throw new UsageError(
      `${adapter.name}: weights that change with the steps are for plain LoRAs, but this one is of the kind ${other.kind}; give it one weight.`,
    );
  }
  for (const module of changing.flatMap(({ adapter }) => adapter.modules))
    ranks.set(module.path, (ranks.get(module.path) ?? 0) + loraRank(module));
  const modules = unetTable(files.unet.config).modules.filter(({ path }) => ranks.has(path));
  return adapterSlots(modules, Math.max(...ranks.values()));
}
