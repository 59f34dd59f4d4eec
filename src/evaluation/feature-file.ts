import { FormatError, UsageError } from "../errors.ts";
import { decodeSafetensors, encodeSafetensors } from "../formats/safetensors.ts";
import { parseSafetensorsHeader } from "../formats/safetensors-header.ts";
import { toFloat32 } from "../tensor/convert.ts";
import { describeFeatures, type FeatureIdentity, type Features } from "./features.ts";

/** Says that a safetensors file holds features, and in which form. */
const kind = "fourstep features 1";

/** Features as a safetensors file that says which network made them. */
export function encodeFeatures({ identity, rows, logits }: Features): Uint8Array<ArrayBuffer> {
  return encodeSafetensors(logits === undefined ? { rows } : { rows, logits }, { kind, ...identity });
}

/**
 * Reads what `encodeFeatures` wrote.
 * @param expected where given, the network whose features are wanted
 * @throws FormatError when it is another file, UsageError when another network made the features
 */
export function decodeFeatures(bytes: Uint8Array, file: string, expected?: FeatureIdentity): Features {
  const { metadata } = parseSafetensorsHeader(bytes, bytes.length, file);
  const tensors = decodeSafetensors(bytes, file);
  const [rows, logits] = [tensors.get("rows"), tensors.get("logits")];
  const text = (key: keyof FeatureIdentity): string => metadata.get(key) ?? "";
  if (metadata.get("kind") !== kind || rows === undefined || rows.shape.length !== 2)
    throw new FormatError(`${file}: this file holds no features of pictures; expected one that this program wrote.`);
  const identity = { network: text("network"), resizing: text("resizing"), fingerprint: text("fingerprint") };
  if (expected !== undefined && describeFeatures(identity) !== describeFeatures(expected)) {
    throw new UsageError(
      `${file}: these features are of another network (${describeFeatures(identity)}) than the one in use (${describeFeatures(expected)}); make them again.`,
    );
  }
  return { identity, rows: toFloat32(rows), ...(logits === undefined ? {} : { logits: toFloat32(logits) }) };
}
