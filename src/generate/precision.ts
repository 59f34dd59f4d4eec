/** What an autoencoder's linear layers and convolutions are computed in. */
export type Precision = "float32" | "float16";

export const precisions: readonly Precision[] = ["float32", "float16"];
