import type { StudioOptions } from "../../src/web/index.ts";

/** What the page's address may say of where to draw: `?device=webgpu`, `?device=cpu&threads=2`. */
export function wishesOf(query: URLSearchParams): Pick<StudioOptions, "device" | "threads"> {
  const device = query.get("device");
  const threads = Number(query.get("threads") ?? "");
  return {
    ...(device === "webgpu" || device === "cpu" ? { device } : {}),
    ...(Number.isInteger(threads) && threads > 0 ? { threads } : {}),
  };
}
