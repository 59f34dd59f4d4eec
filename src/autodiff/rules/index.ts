import type { OperationKind } from "../../graph/ops/index.ts";
import type { Rule } from "../rule.ts";
import { addRule, divRule, mulRule, subRule } from "./arithmetic.ts";
import { conv2dRule, convolutionRule, convTransposeRule } from "./convolution.ts";
import * as elementwise from "./elementwise.ts";
import { groupNormRule, layerNormRule } from "./normalisation.ts";
import { averagePoolRule, maxPoolRule } from "./pooling.ts";
import { gemmRule, matmulRule } from "./product.ts";
import { barrierRule, recomputeRule } from "./recomputation.ts";
import { reduceSumRule, reduceSumSquareRule, softmaxRule } from "./reduction.ts";
import { sumPoolRule, upsampleRule } from "./resampling.ts";
import * as structure from "./structure.ts";

/** The gradient of every kind of operation; leaving one out does not compile. */
export const rules: { readonly [K in OperationKind]: Rule<K> } = {
  add: addRule,
  sub: subRule,
  mul: mulRule,
  div: divRule,
  neg: elementwise.negRule,
  exp: elementwise.expRule,
  log: elementwise.logRule,
  sqrt: elementwise.sqrtRule,
  reciprocal: elementwise.reciprocalRule,
  abs: elementwise.absRule,
  sign: elementwise.signRule,
  sin: elementwise.sinRule,
  cos: elementwise.cosRule,
  erf: elementwise.erfRule,
  sigmoid: elementwise.sigmoidRule,
  tanh: elementwise.tanhRule,
  relu: elementwise.reluRule,
  detach: elementwise.detachRule,
  swish: elementwise.swishRule,
  gelu: elementwise.geluRule,
  cast: elementwise.castRule,
  where: elementwise.whereRule,
  greater: elementwise.greaterRule,
  reduceSum: reduceSumRule,
  reduceSumSquare: reduceSumSquareRule,
  softmax: softmaxRule,
  reshape: structure.reshapeRule,
  transpose: structure.transposeRule,
  expand: structure.expandRule,
  concat: structure.concatRule,
  slice: structure.sliceRule,
  pad: structure.padRule,
  gather: structure.gatherRule,
  scatterAdd: structure.scatterAddRule,
  reverse: structure.reverseRule,
  matmul: matmulRule,
  gemm: gemmRule,
  convolution: convolutionRule,
  convTranspose: convTransposeRule,
  conv2d: conv2dRule,
  upsample: upsampleRule,
  sumPool: sumPoolRule,
  maxPool: maxPoolRule,
  averagePool: averagePoolRule,
  layerNorm: layerNormRule,
  groupNorm: groupNormRule,
  barrier: barrierRule,
  recompute: recomputeRule,
};
