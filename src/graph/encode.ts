import { FormatError } from "../errors.ts";
import { elementCount, type Tensor } from "../tensor/tensor.ts";
import type { Emitter, OnnxAttribute } from "./emitter.ts";
import type { Operation } from "./operation.ts";
import { onnxType } from "./ops/elementwise.ts";
import { operationsInOrder } from "./order.ts";
import { ProtobufWriter } from "./protobuf.ts";
import type { FileSlice, Value } from "./value.ts";

/** Bytes of a large constant, which the runtime takes beside the model: ONNX's own format ends at 2 GB. */
export interface ConstantBytes {
  /** What the model calls them. */
  readonly path: string;
  readonly data: Uint8Array;
}

/** A graph as ONNX bytes, with what a runtime must know to run it. */
export interface OnnxModel {
  readonly bytes: Uint8Array;
  /** Large constants in memory, which are not copied into `bytes`. */
  readonly constants: readonly ConstantBytes[];
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Files that hold constants in place, relative to the folder that is given to the runtime. */
  readonly files: readonly string[];
  /** Graphs without inputs whose results are inputs of this one, beside `inputs`: computed once, when it is compiled. */
  readonly preparations?: readonly OnnxModel[];
  /** Large constants in memory that are given to the graph at its run, beside `inputs`, so that nobody copies them. */
  readonly given?: ReadonlyMap<string, Tensor>;
}

/** How a graph is written. */
export interface EncodeOptions {
  /** Values that are not computed but come in by these names; they are not among the model's `inputs`. */
  readonly prepared?: ReadonlyMap<Value, string>;
  /** Whether large constants in memory are given at the run; no, unless told. */
  readonly giveConstants?: boolean;
}

/** Types of tensors that every runtime takes as an input. */
const givable: ReadonlySet<string> = new Set(["float32", "float16", "float64", "int64", "int32"]);

const opset = 20;
const contribOpset = 1;
/** ONNX's intermediate representation 10: the first with opset 21's types, read by every current runtime. */
const irVersion = 10;
/** Constants from this many bytes on are handed to the runtime beside the model. */
const largeConstant = 2 ** 16;
/** Beside constants in files, those in memory go into the model itself up to this many bytes. */
const mostInside = 2 ** 30;
/** Constants up to this many elements are shared by content. */
const sharedElements = 64;

const attributeMessage = (name: string, value: OnnxAttribute): ProtobufWriter => {
  const message = new ProtobufWriter().string(1, name);
  if ("int" in value) return message.int(3, value.int).int(20, 2);
  if ("float" in value) return message.float(2, value.float).int(20, 1);
  if ("string" in value) return message.string(4, value.string).int(20, 3);
  for (const n of value.ints) message.int(8, n);
  return message.int(20, 7);
};

const tensorMessage = (name: string, tensor: Pick<Tensor, "type" | "shape">): ProtobufWriter => {
  const message = new ProtobufWriter();
  for (const n of tensor.shape) message.int(1, n);
  return message.int(2, onnxType[tensor.type]).string(8, name);
};

const bytesOf = ({ data }: Tensor): Uint8Array =>
  new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);

const inlineTensor = (name: string, tensor: Tensor): ProtobufWriter =>
  tensorMessage(name, tensor).bytes(9, bytesOf(tensor));

const apartTensor = (name: string, value: Pick<Tensor, "type" | "shape">, slice: FileSlice): ProtobufWriter => {
  const message = tensorMessage(name, value);
  const entry = (key: string, text: string): ProtobufWriter => new ProtobufWriter().string(1, key).string(2, text);
  message.message(13, entry("location", slice.file));
  message.message(13, entry("offset", String(slice.offset)));
  message.message(13, entry("length", String(slice.length)));
  return message.int(14, 1);
};

const valueInfo = (name: string, value: Pick<Value, "type" | "shape">): ProtobufWriter => {
  const shape = new ProtobufWriter();
  for (const n of value.shape) shape.message(1, new ProtobufWriter().int(1, n));
  const tensorType = new ProtobufWriter().int(1, onnxType[value.type]).message(2, shape);
  return new ProtobufWriter().string(1, name).message(2, new ProtobufWriter().message(1, tensorType));
};

/** Type, shape and bytes: equal for equal constants, and only then. */
const contentKey = (tensor: Tensor): string => `${tensor.type}[${tensor.shape.join(",")}]=${bytesOf(tensor).join(",")}`;

/** The names that a graph's builder chose. @throws FormatError when an input and a result share one */
function givenNames(
  order: readonly Operation[],
  results: readonly [string, Value][],
  prepared: ReadonlyMap<Value, string>,
): ReadonlySet<string> {
  const names = new Set<string>(prepared.values());
  const addInput = ({ source }: Value): void => {
    if (source.kind === "input") names.add(source.name);
  };
  for (const operation of order) operation.inputs.forEach(addInput);
  for (const [, value] of results) addInput(value);
  for (const [name] of results) {
    if (names.has(name)) {
      throw new FormatError(`An input and a result of the graph are both named "${name}"; give each its own name.`);
    }
  }
  for (const [name] of results) names.add(name);
  return names;
}

/**
 * Writes the graph that computes `outputs` as an ONNX model. Equal small constants are written once, as are constants
 * that share their tensor or their place in a file.
 * @throws FormatError when two different inputs, or an input and a result, share one name
 */
export function encode(
  outputs: Readonly<Record<string, Value>>,
  { prepared = new Map(), giveConstants = false }: EncodeOptions = {},
): OnnxModel {
  const graph = new ProtobufWriter();
  const names = new Map<Value, string>();
  const inputs = new Map<string, Value>();
  const files = new Set<string>();
  const given = new Map<string, Tensor>();
  const shared = new Map<string | Tensor, string>();
  const initializers: ProtobufWriter[] = [];
  const large: { readonly name: string; readonly tensor: Tensor; readonly data: Uint8Array }[] = [];
  const results = Object.entries(outputs);
  const order = operationsInOrder(
    results.map(([, value]) => value),
    new Set(prepared.keys()),
  );
  const taken = givenNames(order, results, prepared);
  let counter = 0;
  const freshName = (): string => {
    const name = `v${counter++}`;
    return taken.has(name) ? freshName() : name;
  };

  /** Writes an initializer once for each key. */
  const initializer = (key: string | Tensor, write: (name: string) => ProtobufWriter | undefined): string => {
    const known = shared.get(key);
    if (known !== undefined) return known;
    const name = freshName();
    const message = write(name);
    if (message !== undefined) initializers.push(message);
    shared.set(key, name);
    return name;
  };
  const constantName = (tensor: Tensor): string =>
    initializer(elementCount(tensor.shape) <= sharedElements ? contentKey(tensor) : tensor, (name) => {
      const data = bytesOf(tensor);
      if (data.length < largeConstant) return inlineTensor(name, tensor);
      if (giveConstants && givable.has(tensor.type)) given.set(name, tensor);
      else large.push({ name, tensor, data });
      return undefined;
    });

  const leafName = (value: Value): string => {
    const { source } = value;
    switch (source.kind) {
      case "input": {
        const known = inputs.get(source.name);
        if (known !== undefined && known !== value)
          throw new FormatError(`Two inputs of the graph are named "${source.name}"; give each its own name.`);
        inputs.set(source.name, value);
        return source.name;
      }
      case "constant":
        return constantName(source.tensor);
      case "file": {
        const { slice } = source;
        files.add(slice.file);
        return initializer(`${value.type}[${value.shape.join(",")}] ${slice.offset} ${slice.file}`, (name) =>
          apartTensor(name, value, slice),
        );
      }
      case "operation":
        throw new FormatError("An operation's result was used before it was written.");
    }
  };
  const nameOf = (value: Value): string => {
    const known = names.get(value) ?? prepared.get(value);
    if (known !== undefined) return known;
    const name = leafName(value);
    names.set(value, name);
    return name;
  };

  const emitter: Emitter = {
    node(type, nodeInputs, nodeOutputs, attributes = {}, domain = "") {
      const node = new ProtobufWriter();
      for (const name of nodeInputs) node.string(1, name);
      for (const name of nodeOutputs) node.string(2, name);
      node.string(4, type);
      for (const [name, value] of Object.entries(attributes)) node.message(5, attributeMessage(name, value));
      if (domain !== "") node.string(7, domain);
      graph.message(1, node);
    },
    fresh(type, nodeInputs, attributes, domain) {
      const name = freshName();
      emitter.node(type, nodeInputs, [name], attributes, domain);
      return name;
    },
    constant: constantName,
    ints: (values) => constantName({ type: "int64", shape: [values.length], data: BigInt64Array.from(values, BigInt) }),
  };

  // A result bears its own name, once; runtimes that do not optimise would copy it for another.
  for (const [name, value] of results) {
    if (value.source.kind === "operation" && !prepared.has(value) && !names.has(value)) names.set(value, name);
  }
  for (const operation of order) {
    const operands = operation.inputs.map(nameOf);
    for (const output of operation.outputs) if (!names.has(output)) names.set(output, freshName());
    operation.definition.emit(emitter, operands, operation.outputs.map(nameOf), operation.attributes, operation);
  }
  for (const [name, value] of results) if (nameOf(value) !== name) emitter.node("Identity", [nameOf(value)], [name]);

  graph.string(2, "fourstep");
  for (const message of initializers) graph.message(5, message);
  // A runtime that is handed bytes beside the model looks for those in files among them, too.
  const inside = files.size > 0 && large.reduce((sum, { data }) => sum + data.length, 0) <= mostInside;
  const constants: ConstantBytes[] = [];
  for (const { name, tensor, data } of large) {
    if (inside) {
      graph.message(5, inlineTensor(name, tensor));
      continue;
    }
    const path = `fourstep-memory/${constants.length}`;
    constants.push({ path, data });
    graph.message(5, apartTensor(name, tensor, { file: path, offset: 0, length: data.length }));
  }
  for (const [name, value] of inputs) graph.message(11, valueInfo(name, value));
  for (const [value, name] of prepared) graph.message(11, valueInfo(name, value));
  for (const [name, tensor] of given) graph.message(11, valueInfo(name, tensor));
  for (const [name, value] of results) graph.message(12, valueInfo(name, value));
  const operatorSet = (domain: string, version: number): ProtobufWriter =>
    new ProtobufWriter().string(1, domain).int(2, version);
  const model = new ProtobufWriter()
    .int(1, irVersion)
    .string(2, "fourstep")
    .message(7, graph)
    .message(8, operatorSet("", opset))
    .message(8, operatorSet("com.microsoft", contribOpset));
  return {
    bytes: model.finish(),
    constants,
    inputs: [...inputs.keys()],
    outputs: results.map(([name]) => name),
    files: [...files],
    ...(given.size === 0 ? {} : { given }),
  };
}
