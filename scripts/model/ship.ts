/**
 * Takes what `npm run model:base`, `model:lcd` and `model:style-…` left in runs/model into models/fourstep-64, the model that
 * is shipped: `npm run model:ship`. A folder is made anew beside the old one and then takes its place.
 */
import { cp, mkdir, rename, rm } from "node:fs/promises";

const target = "models/fourstep-64";
const aside = `${target}.new`;
const adapters = { "lcm-lora": "lcd", "style-3d": "style-3d", "style-ink": "style-ink" } as const;

await rm(aside, { recursive: true, force: true });
await cp("runs/model/base/model", aside, { recursive: true });
await mkdir(`${aside}/lora`);
for (const [name, run] of Object.entries(adapters)) {
  await cp(`runs/model/${run}/adapter.safetensors`, `${aside}/lora/${name}.safetensors`);
}
await cp(`${target}/README.md`, `${aside}/README.md`);
await rm(target, { recursive: true });
await rename(aside, target);
console.log(`${target} holds the model of runs/model`);
