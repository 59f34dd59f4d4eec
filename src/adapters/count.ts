import { lcmLoraTargets, type ModuleShape, targetKind } from "./targets.ts";

/** How many layers an adapter changes, and with how many numbers. */
export interface LoraCount {
  readonly modules: number;
  readonly parameters: number;
}

/**
 * Numbers of a LoRA of one layer: `rank * (in + out)`, where a convolution's `in` counts its window too.
 *
 * A convolution's down part is a whole convolution to `rank` channels, its up part a 1x1 one back.
 */
export function loraParameters({ weight }: ModuleShape, rank: number): number {
  const [out = 0, ...inner] = weight;
  return rank * (inner.reduce((product, size) => product * size, 1) + out);
}

/**
 * Numbers of an adapter of `rank` over these layers, such as the `targetModules` of a model.
 * @paper table 1
 */
export function countLora(modules: readonly ModuleShape[], rank: number): LoraCount {
  let parameters = 0;
  for (const module of modules) parameters += loraParameters(module, rank);
  return { modules: modules.length, parameters };
}

/** The same for each kind of layer that occurs, in the order of the kinds. */
export function countLoraByKind(
  modules: readonly ModuleShape[],
  rank: number,
  kinds: readonly string[] = lcmLoraTargets,
): Map<string, LoraCount> {
  const counts = new Map<string, LoraCount>();
  for (const kind of kinds) {
    const ofKind = modules.filter(({ path }) => targetKind(path, kinds) === kind);
    if (ofKind.length > 0) counts.set(kind, countLora(ofKind, rank));
  }
  return counts;
}
