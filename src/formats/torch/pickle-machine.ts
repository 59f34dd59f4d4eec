import { FormatError } from "../../errors.ts";
import { nextOperation } from "./pickle-arguments.ts";
import { type CallContext, callFunction, createObject } from "./pickle-calls.ts";
import { isKind, kindOfValue, type PickleGlobal, type PickleValue, type TorchStorage } from "./pickle-value.ts";
import { persistentValue } from "./torch-objects.ts";

/** What a pickle says, and the unknown classes that it names objects of. */
export interface PickleResult {
  readonly value: PickleValue;
  /** All storages that it refers to, by their key, also from where no tensor is looked for. */
  readonly storages: ReadonlyMap<string, TorchStorage>;
  readonly inertClasses: readonly string[];
}

/** SDXL's 2,515 tensors with their optimizer's state take 252,000 operations; each costs some hundred bytes at most. */
const maxOperations = 2_000_000;

const noBytes: Uint8Array = new Uint8Array(0);

/** Where Python 2 had what Python 3 keeps elsewhere. */
const renamedModules: Readonly<Record<string, string>> = { __builtin__: "builtins", copy_reg: "copyreg" };

/**
 * Follows a pickle without executing anything of it: classes stay names, objects of unknown classes stay inert, and of
 * functions only the few that build tensors and plain data are known; each of these is done here, in plain data.
 * @throws FormatError naming the function, when the pickle calls any other; or when it is damaged
 */
export function runPickle(bytes: Uint8Array, file: string): PickleResult {
  const machine = new PickleMachine(bytes, file);
  const value = machine.run();
  return { value, storages: machine.storages, inertClasses: [...machine.inertClasses].sort() };
}

/** The stack machine that pickles are programs for (see the head of `pickletools.py`), on plain data. */
export class PickleMachine implements CallContext {
  readonly inertClasses: Set<string> = new Set();
  readonly storages: Map<string, TorchStorage> = new Map();
  private readonly bytes: Uint8Array;
  private readonly file: string;
  private readonly stack: PickleValue[] = [];
  private readonly marks: number[] = [];
  private readonly memo: Map<number, PickleValue> = new Map();
  private readonly globals: Map<string, PickleGlobal> = new Map();
  private at = 0;
  private work = 0;
  private stopped = false;

  constructor(bytes: Uint8Array, file: string) {
    this.bytes = bytes;
    this.file = file;
  }

  /** The value on the stack when the pickle stops. */
  run(): PickleValue {
    while (!this.stopped) {
      this.spend(1);
      const next = nextOperation(this.bytes, this.at, this.file);
      if (next === undefined) throw this.damaged("it ends before it is complete");
      next.operation.run(this, next.begin === next.end ? noBytes : this.bytes.subarray(next.begin, next.end));
      this.at = next.end;
    }
    return this.pop();
  }

  stop(): void {
    this.stopped = true;
  }

  /** Counts work, so that a small pickle cannot ask for much. */
  spend(steps: number): void {
    this.work += steps;
    if (this.work > maxOperations) {
      throw new FormatError(
        `${this.file}: its pickle takes more than ${maxOperations} steps, which no checkpoint needs.`,
      );
    }
  }

  damaged(what: string): FormatError {
    return new FormatError(`${this.file}: its pickle is damaged at byte ${this.at}: ${what}.`);
  }

  refused(what: string): FormatError {
    return new FormatError(`${this.file}: ${what}`);
  }

  push(value: PickleValue): void {
    this.stack.push(value);
  }

  /** Values since the last mark, or since the start. */
  private get available(): number {
    return this.stack.length - (this.marks.at(-1) ?? 0);
  }

  top(): PickleValue {
    if (this.available < 1) throw this.damaged("it needs a value where there is none");
    return this.stack.at(-1)!;
  }

  pop(): PickleValue {
    const value = this.top();
    this.stack.pop();
    return value;
  }

  popMany(count: number): PickleValue[] {
    if (this.available < count) throw this.damaged(`it needs ${count} values where there are ${this.available}`);
    return this.stack.splice(this.stack.length - count, count);
  }

  mark(): void {
    this.marks.push(this.stack.length);
  }

  popToMark(): PickleValue[] {
    const mark = this.marks.pop();
    if (mark === undefined) throw this.damaged("it needs a mark where there is none");
    return this.stack.splice(mark, this.stack.length - mark);
  }

  /** Drops the last value, or the last mark where nothing lies above it. */
  discard(): void {
    if (this.available > 0) this.stack.pop();
    else if (this.marks.pop() === undefined) throw this.damaged("it needs a value where there is none");
  }

  remember(index: number): void {
    this.memo.set(index, this.top());
  }

  rememberNext(): void {
    this.remember(this.memo.size);
  }

  recall(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) throw this.damaged(`it recalls value ${index}, which it never stored`);
    this.push(value);
  }

  pushGlobal(module: string, name: string): void {
    const full = `${Object.hasOwn(renamedModules, module) ? renamedModules[module] : module}.${name}`;
    let global = this.globals.get(full);
    if (global === undefined) {
      global = { kind: "global", name: full };
      this.globals.set(full, global);
    }
    this.push(global);
  }

  /** Adds to a list, a set, or an inert object that is a kind of them. */
  extend(target: PickleValue, items: PickleValue[], kind: "list" | "set"): void {
    let held: PickleValue[];
    if (isKind(target, kind)) held = target.items;
    else if (isKind(target, "object")) held = target.items ??= [];
    else throw this.damaged(`it adds to ${kindOfValue(target)} as if it were a ${kind}`);
    for (const item of items) held.push(item);
  }

  /** Sets pairs of keys and values in a dictionary, or an inert object that is a kind of one. */
  assign(target: PickleValue, pairs: PickleValue[]): void {
    let held: Map<PickleValue, PickleValue>;
    if (isKind(target, "dict")) held = target.entries;
    else if (isKind(target, "object")) held = target.entries ??= new Map();
    else throw this.damaged(`it sets keys of ${kindOfValue(target)} as if it were a dictionary`);
    if (pairs.length % 2 !== 0) throw this.damaged("a key has no value");
    for (let i = 0; i < pairs.length; i += 2) held.set(pairs[i]!, pairs[i + 1]!);
  }

  call(callee: PickleValue, args: PickleValue): PickleValue {
    return callFunction(this, callee, args);
  }

  create(className: PickleValue, args: PickleValue): PickleValue {
    return createObject(this, className, args);
  }

  fetch(id: PickleValue): PickleValue {
    return persistentValue(this, id);
  }

  /** Sets attributes: kept for inert objects; those of dictionaries and tensors (hooks, versions) say nothing that is used. */
  build(target: PickleValue, state: PickleValue): void {
    if (isKind(target, "object")) target.state = state;
    else if (!isKind(target, "dict") && !isKind(target, "tensor")) {
      throw this.damaged(`it sets attributes of ${kindOfValue(target)}`);
    }
  }
}
