import { difference, normDifference } from "./differences.ts";
import { glora } from "./glora.ts";
import { hadamard } from "./hadamard.ts";
import { ia3 } from "./ia3.ts";
import { inputRotation } from "./input-rotation.ts";
import { kronecker } from "./kronecker.ts";
import { lowRank } from "./low-rank.ts";
import type { AdapterKind } from "./module-tensors.ts";
import { orthogonal } from "./orthogonal.ts";

/** All kinds of adapter that are read. */
export const adapterKinds: readonly AdapterKind[] = [
  lowRank, //
  hadamard,
  kronecker,
  difference,
  normDifference,
  orthogonal,
  inputRotation,
  ia3,
  glora,
];
