import type { OperationDefinition } from "../operation.ts";
import type { addOperation, divOperation, mulOperation, subOperation } from "./arithmetic.ts";
import type { barrierOperation } from "./barrier.ts";
import type { conv2dOperation, convolutionOperation, convTransposeOperation } from "./convolution.ts";
import type * as elementwise from "./elementwise.ts";
import type { groupNormOperation, layerNormOperation } from "./normalisation.ts";
import type { averagePoolOperation, maxPoolOperation } from "./pooling.ts";
import type { gemmOperation, matmulOperation } from "./product.ts";
import type { recomputeOperation } from "./recompute.ts";
import type { reduceSumOperation, reduceSumSquareOperation, softmaxOperation } from "./reduction.ts";
import type { sumPoolOperation, upsampleOperation } from "./resampling.ts";
import type * as structure from "./structure.ts";

interface All {
  readonly add: typeof addOperation;
  readonly sub: typeof subOperation;
  readonly mul: typeof mulOperation;
  readonly div: typeof divOperation;
  readonly neg: typeof elementwise.negOperation;
  readonly exp: typeof elementwise.expOperation;
  readonly log: typeof elementwise.logOperation;
  readonly sqrt: typeof elementwise.sqrtOperation;
  readonly reciprocal: typeof elementwise.reciprocalOperation;
  readonly abs: typeof elementwise.absOperation;
  readonly sign: typeof elementwise.signOperation;
  readonly sin: typeof elementwise.sinOperation;
  readonly cos: typeof elementwise.cosOperation;
  readonly erf: typeof elementwise.erfOperation;
  readonly sigmoid: typeof elementwise.sigmoidOperation;
  readonly tanh: typeof elementwise.tanhOperation;
  readonly relu: typeof elementwise.reluOperation;
  readonly detach: typeof elementwise.detachOperation;
  readonly swish: typeof elementwise.swishOperation;
  readonly gelu: typeof elementwise.geluOperation;
  readonly cast: typeof elementwise.castOperation;
  readonly where: typeof elementwise.whereOperation;
  readonly greater: typeof elementwise.greaterOperation;
  readonly reduceSum: typeof reduceSumOperation;
  readonly reduceSumSquare: typeof reduceSumSquareOperation;
  readonly softmax: typeof softmaxOperation;
  readonly reshape: typeof structure.reshapeOperation;
  readonly transpose: typeof structure.transposeOperation;
  readonly expand: typeof structure.expandOperation;
  readonly concat: typeof structure.concatOperation;
  readonly slice: typeof structure.sliceOperation;
  readonly pad: typeof structure.padOperation;
  readonly gather: typeof structure.gatherOperation;
  readonly scatterAdd: typeof structure.scatterAddOperation;
  readonly reverse: typeof structure.reverseOperation;
  readonly matmul: typeof matmulOperation;
  readonly gemm: typeof gemmOperation;
  readonly convolution: typeof convolutionOperation;
  readonly convTranspose: typeof convTransposeOperation;
  readonly conv2d: typeof conv2dOperation;
  readonly upsample: typeof upsampleOperation;
  readonly sumPool: typeof sumPoolOperation;
  readonly maxPool: typeof maxPoolOperation;
  readonly averagePool: typeof averagePoolOperation;
  readonly layerNorm: typeof layerNormOperation;
  readonly groupNorm: typeof groupNormOperation;
  readonly barrier: typeof barrierOperation;
  readonly recompute: typeof recomputeOperation;
}

/** Every kind of operation: the key to the gradient rules, which the compiler holds complete. */
export type OperationKind = keyof All;

/** What a kind of operation is told beside its inputs. */
export type AttributesOf<K extends OperationKind> = All[K] extends OperationDefinition<string, infer A> ? A : never;
