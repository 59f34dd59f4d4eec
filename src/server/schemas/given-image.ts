import { z } from "@hono/zod-openapi";

const prefix = /^data:image\/[a-z0-9.+-]+;base64,/i;
const base64 = /^[A-Za-z0-9+/_-]+={0,2}$/;

/** The base64 of a picture: a data URL's, or the text itself without the spaces and line breaks that some put in. */
function bare(text: string): string {
  return text.replace(prefix, "").replaceAll(/\s+/g, "");
}

/** A picture as base64 or as a data URL; an address is refused, since the server fetches nothing. */
export const givenImage: z.ZodType<string> = z
  .string()
  .min(1)
  .refine((text) => !/^[a-z][a-z0-9+.-]*:\/\//i.test(text.trimStart()), {
    error: "pictures are not fetched from addresses; send the picture itself, as base64",
    abort: true,
  })
  .transform(bare)
  .refine((text) => base64.test(text), { error: "this is no base64 of a picture" });

/** The bytes of a picture that the schema let through. */
export function imageBytes(text: string): Uint8Array {
  return Buffer.from(text, "base64");
}
