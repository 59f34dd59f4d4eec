import { parseInfotext } from "../../src/index.ts";
import type { ShownPicture } from "../state/pane.ts";

/** What stands below a picture: how it was drawn, and how long that took. */
export function pictureFacts({ settings, seconds }: ShownPicture): string {
  const { settings: written } = parseInfotext(settings);
  const steps = written.get("Steps");
  const facts = [written.get("Sampler"), steps === "1" ? "1 step" : `${steps} steps`];
  if (seconds !== undefined) facts.push(`${seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(0)} s`);
  return facts.filter((fact) => fact !== undefined).join(" · ");
}

/** What a picture shows, for those who do not see it. */
export function pictureWords({ request }: ShownPicture): string {
  const what = request.prompt === "" ? "A picture without a prompt" : request.prompt;
  const by = request.sampler === "ddim" ? ", by DDIM" : "";
  const from = request.init === undefined ? "" : ", from the sketch";
  return `${what}${from}${by}, seed ${request.seed}`;
}
