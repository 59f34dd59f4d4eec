/**
 * How a picture of other proportions is brought to a size: what juts out is cut off on both sides, the picture is stretched,
 * or it is fitted in and its border continued.
 */
export type PictureFit = "crop" | "stretch" | "fill";

export const pictureFits: readonly PictureFit[] = ["crop", "stretch", "fill"];
