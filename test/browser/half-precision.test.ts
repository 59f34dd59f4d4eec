import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { modelFromFolder } from "../../src/generate/model.ts";
import { createNetworks } from "../../src/generate/networks.ts";
import { onnxRuntime } from "../../src/runtime/onnx-runtime.ts";
import { filled, float32 } from "../../src/tensor/tensor.ts";
import { openModel } from "../../src/web/open-model.ts";
import { serveFolders } from "./static-server.ts";

it("a U-Net in float16, as WebGPU may compute it, stays close to float32", async () => {
  const models = fileURLToPath(new URL("../../models", import.meta.url));
  await using server = await serveFolders({ "": models, models });
  const { files, place } = await openModel(`${server.url}models/fourstep-64`);
  const model = await modelFromFolder(files, place);
  const runtime = onnxRuntime();
  try {
    const latents = float32(
      [1, 16, 8, 8],
      Float32Array.from({ length: 1024 }, (_, i) => Math.sin(1.3 * i)),
    );
    const request = { latents, timesteps: float32([1], [500]), context: filled([77, 128], 0.1) };
    const [half, full] = [
      await createNetworks(runtime, model, { unetPrecision: "float16" }).predict(request),
      await createNetworks(runtime, model).predict(request),
    ];
    const errors = full.data.map((x, i) => Math.abs(x - half.data[i]!));
    const largest = Math.max(...full.data.map(Math.abs));
    // float16 has eleven bits; it is another computation, and yet the same picture.
    expect(Math.max(...errors)).toBeGreaterThan(0);
    expect(Math.max(...errors)).toBeLessThan(0.02 * largest);
  } finally {
    await runtime.dispose();
  }
});
