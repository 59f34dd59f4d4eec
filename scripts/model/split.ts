/**
 * Writes models/fourstep-64/held-out.json: which of the shipped model's pictures lend their captions to an evaluation (those
 * that its training never saw) and which give the statistics of real ones (all), in an order that follows from the seed.
 *
 *     node --import tsx scripts/model/split.ts [--pictures FOLDER] [--seed N]
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { encodeSplit, splitSet } from "../../src/evaluation/evaluation-split.ts";
import { modelSplitFile } from "../../src/node/evaluate/choose-set.ts";
import { openPictures } from "../../src/node/open-pictures.ts";
import { shippedModelFolder } from "../../src/node/shipped-model.ts";

const { values } = parseArgs({
  options: {
    pictures: { type: "string", default: "runs/pictures/base" },
    seed: { type: "string", default: "0" },
  },
});
const split = splitSet(await openPictures(values.pictures), Number(values.seed));
await writeFile(join(shippedModelFolder(), modelSplitFile), encodeSplit(split));
console.log(`${split.drawn.length} captions, ${split.real.length} real pictures`);
