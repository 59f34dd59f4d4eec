/** What an adapter makes of one parameter of a model, where that is no plain low-rank product. */
export interface ParameterChange {
  /** The layer's path in diffusers. */
  readonly path: string;
  readonly parameter: "weight" | "bias";
  /** The kind of adapter, e.g. `LoHa`. */
  readonly kind: string;
  /** Of the parameter: `[out, in]`, `[out, in, height, width]` or `[width]`. */
  readonly shape: readonly number[];
  /** Numbers that the adapter holds for it. */
  readonly parameters: number;
  /** Rank of its factors, and what scales them; undefined where there are none. */
  readonly rank: number | undefined;
  readonly alpha: number | undefined;
  /** Whether it changes nothing, since the factors of a product are zero. */
  readonly zero: boolean;
  /**
   * The change of the whole adapter, `theta_ft - theta_pre`, so that it is weighted as any vector is.
   * @param base the parameter's numbers in the model
   * @returns in float64, in the order of the base
   */
  readonly delta: (base: Float32Array) => Float64Array;
}
