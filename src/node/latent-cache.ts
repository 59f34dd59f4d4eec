import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { FormatError, UsageError } from "../errors.ts";
import { openFileSource, writeFileAtomically } from "../formats/file-source.node.ts";
import { encodeSafetensors, readSafetensorsHeader, readTensor } from "../formats/safetensors.ts";
import { elementCount, type Tensor } from "../tensor/tensor.ts";
import type { PictureSize } from "../training/data/crop.ts";
import { type CheckedPicture, contentKey } from "./check-pictures.ts";
import { decodePicture } from "./decode-picture.ts";

/** What is encoded, by what, and where the result is kept. */
export interface LatentRequest {
  /** Folder for caches, such as `latents` in the run's folder; it is made where absent. */
  readonly folder: string;
  readonly pictures: readonly CheckedPicture[];
  readonly size: PictureSize;
  /** Whether the pictures are mirrored first; a set for flips is encoded by a second call. */
  readonly mirrored: boolean;
  /** Hash of the autoencoder's weights: another one makes another cache. */
  readonly autoencoderHash: string;
  /** Pictures encoded in one call. */
  readonly batchSize: number;
  /** Pictures [n, 3, height, width] from -1 to 1 to what is kept of each, [n, ...]; latents, or mean and log variance. */
  encode(pictures: Tensor<"float32">): Promise<Tensor<"float32">>;
  /** Called after each batch with the pictures that are at hand. */
  onProgress?(done: number, total: number): void;
}

/** The latents of a set in memory, in the order of the request's pictures. */
export interface LatentSet {
  /** Key of the cache: content, size and autoencoder. */
  readonly key: string;
  /** Shape of one latent, such as [4, 16, 16]. */
  readonly shape: readonly number[];
  /** Pictures encoded by this call; the others were found in the cache. */
  readonly encoded: number;
  /**
   * Latents [n, ...shape] of the pictures at these places.
   * @throws UsageError when a place is not one of the set's.
   */
  gather(indices: readonly number[]): Tensor<"float32">;
}

/** Pictures in one file of the cache: what an interrupted encoding loses at most. */
const picturesPerPart = 512;

/**
 * Encodes pictures once and keeps their latents in safetensors files under a key of content, size and autoencoder.
 *
 * Each file is written whole or not at all; one that is damaged is made anew; an interrupted encoding goes on where it was.
 * @throws UsageError when there are no pictures, or the encoder gives latents of differing shapes.
 */
export async function encodeWithCache(request: LatentRequest): Promise<LatentSet> {
  const { pictures, size } = request;
  const unique = new Map(pictures.map((picture) => [picture.hash, picture]));
  const hashes = [...unique.keys()].sort();
  if (hashes.length === 0) throw new UsageError("there are no pictures to encode; the set is empty");
  const settings = {
    autoencoder: request.autoencoderHash,
    width: size.width,
    height: size.height,
    mirrored: Number(request.mirrored),
  };
  const key = contentKey(hashes, settings);
  const folder = join(request.folder, key.slice(0, 32));
  await mkdir(folder, { recursive: true });

  const latents = new Map<string, Tensor<"float32">>();
  let encoded = 0;
  for (let start = 0; start < hashes.length; start += picturesPerPart) {
    const members = hashes.slice(start, start + picturesPerPart);
    const path = join(folder, `part-${String(start / picturesPerPart).padStart(5, "0")}.safetensors`);
    let part = await readPart(path, members);
    if (part === undefined) {
      const report = (done: number): void => request.onProgress?.(start + done, hashes.length);
      part = await encodePart(
        members.map((hash) => unique.get(hash)!),
        request,
        report,
      );
      await writeFileAtomically(path, encodeSafetensors(part, { key }));
      encoded += members.length;
    }
    for (const [hash, latent] of part) latents.set(hash, latent);
  }
  const shape = latents.get(hashes[0]!)!.shape;
  for (const latent of latents.values()) checkShape(latent, shape);
  return { key, shape, encoded, gather: (indices) => gatherLatents(latents, pictures, shape, indices) };
}

/** The latents of a part, or undefined where its file is absent, damaged or lacks one of its members. */
async function readPart(path: string, members: readonly string[]): Promise<Map<string, Tensor<"float32">> | undefined> {
  try {
    await using source = await openFileSource(path);
    const header = await readSafetensorsHeader(source);
    const part = new Map<string, Tensor<"float32">>();
    for (const hash of members) {
      const latent = await readTensor(source, header, hash);
      if (!isFloat32(latent)) return undefined;
      part.set(hash, latent);
    }
    return part;
  } catch (error) {
    if (error instanceof UsageError || error instanceof FormatError) return undefined;
    throw error;
  }
}

function isFloat32(value: Tensor): value is Tensor<"float32"> {
  return value.type === "float32";
}

async function encodePart(
  pictures: readonly CheckedPicture[],
  request: LatentRequest,
  report: (done: number) => void,
): Promise<Map<string, Tensor<"float32">>> {
  const { size, mirrored } = request;
  const { width, height } = size;
  const pictureLength = 3 * height * width;
  const part = new Map<string, Tensor<"float32">>();
  for (let start = 0; start < pictures.length; start += request.batchSize) {
    const batch = pictures.slice(start, start + request.batchSize);
    const pixels = new Float32Array(batch.length * pictureLength);
    for (const [member, picture] of batch.entries()) {
      const { data } = await decodePicture(await picture.read(), picture.name, { size, mirrored });
      pixels.set(data, member * pictureLength);
    }
    const { shape, data } = await request.encode({
      type: "float32",
      shape: [batch.length, 3, height, width],
      data: pixels,
    });
    if (shape[0] !== batch.length) {
      throw new UsageError(`the encoder gave [${shape.join(", ")}] for ${batch.length} pictures; its batch must match`);
    }
    const latentShape = shape.slice(1);
    const length = elementCount(latentShape);
    for (const [member, picture] of batch.entries()) {
      const latent = data.slice(member * length, (member + 1) * length);
      part.set(picture.hash, { type: "float32", shape: latentShape, data: latent });
    }
    report(Math.min(pictures.length, start + batch.length));
  }
  return part;
}

function checkShape(latent: Tensor, shape: readonly number[]): void {
  if (latent.shape.join() !== shape.join()) {
    throw new UsageError(`latents of [${latent.shape.join(", ")}] and [${shape.join(", ")}] cannot be in one set`);
  }
}

function gatherLatents(
  latents: ReadonlyMap<string, Tensor<"float32">>,
  pictures: readonly CheckedPicture[],
  shape: readonly number[],
  indices: readonly number[],
): Tensor<"float32"> {
  const length = elementCount(shape);
  const data = new Float32Array(indices.length * length);
  for (const [member, index] of indices.entries()) {
    const picture = pictures[index];
    if (picture === undefined) throw new UsageError(`there is no picture ${index}; the set has ${pictures.length}`);
    data.set(latents.get(picture.hash)!.data, member * length);
  }
  return { type: "float32", shape: [indices.length, ...shape], data };
}
