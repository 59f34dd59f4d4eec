import { open } from "node:fs/promises";
import type { ModelFamily } from "../src/models/checkpoint/families/family.ts";
import {
  autoencoderNames,
  type PartNames,
  textEncoderNames,
  unetNames,
} from "../src/models/checkpoint/original/part-names.ts";
import { unetConfig } from "../src/models/unet/config.ts";
import { autoencoderConfig } from "../src/models/vae/config.ts";
import { elementCount } from "../src/tensor/tensor.ts";

/** Keys and shapes of a family's checkpoint in one file, as it was published. */
export function originalShapes(family: ModelFamily): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  const add = (prefix: string, { parameters, tensors }: PartNames): void => {
    for (const { name, shape } of parameters) {
      const { key, third, transposed } = tensors.get(name)!;
      const whole = third === undefined ? shape : [3 * shape[0]!, ...shape.slice(1)];
      shapes.set(prefix + key, transposed === true ? whole.toReversed() : whole);
    }
  };
  add("model.diffusion_model.", unetNames(unetConfig(family.unet)));
  add("first_stage_model.", autoencoderNames(autoencoderConfig(family.autoencoder)));
  for (const encoder of family.textEncoders) {
    const [place] = encoder.original;
    add(place.prefix, textEncoderNames(encoder, place));
  }
  return shapes;
}

/** Writes a safetensors file of float16 zeros whose data take no room on the disk. */
export async function writeSparse(path: string, shapes: ReadonlyMap<string, readonly number[]>): Promise<void> {
  let end = 0;
  const entries = Array.from(shapes, ([key, shape]) => {
    const begin = end;
    end += 2 * elementCount(shape);
    return [key, { dtype: "F16", shape, data_offsets: [begin, end] }];
  });
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const head = new Uint8Array(8 + json.length);
  new DataView(head.buffer).setBigUint64(0, BigInt(json.length), true);
  head.set(json, 8);
  await using file = await open(path, "w");
  await file.write(head);
  await file.truncate(head.length + end);
}
