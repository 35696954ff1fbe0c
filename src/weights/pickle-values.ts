/**
 * What the restricted pickle reader can produce, and the only globals that it knows: those that torch needs to describe tensors.
 * Nothing here runs code from a file: a "call" is one of five constructors below, on plain data.
 */
import { checkpointError, type StepVideoError } from '../errors.ts';
import type { DType } from './tensor-entry.ts';

/** A global that a pickle named; only those of `allowedGlobals` ever come into being. */
export class PickleGlobal {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** Python tuple; lists are plain arrays. */
export class PickleTuple {
  readonly items: readonly PickleValue[];
  constructor(items: readonly PickleValue[]) {
    this.items = items;
  }
}

/** A run of elements under a storage key; `start` is above 0 only for views of old streams. */
export class PickleStorage {
  readonly key: string;
  readonly dtype: DType;
  /** Elements in the whole storage. */
  readonly length: number;
  readonly start: number;
  constructor(key: string, dtype: DType, length: number, start = 0) {
    this.key = key;
    this.dtype = dtype;
    this.length = length;
    this.start = start;
  }
}

/** A tensor over a storage; offset and strides in elements, checked to lie inside. */
export class PickleTensor {
  readonly storage: PickleStorage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  constructor(storage: PickleStorage, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | PickleTuple
  | Map<PickleValue, PickleValue>
  | PickleGlobal
  | PickleStorage
  | PickleTensor;

const storageTypes: Readonly<Record<string, DType>> = {
  'torch DoubleStorage': 'F64',
  'torch FloatStorage': 'F32',
  'torch HalfStorage': 'F16',
  'torch BFloat16Storage': 'BF16',
  'torch LongStorage': 'I64',
  'torch IntStorage': 'I32',
  'torch ShortStorage': 'I16',
  'torch CharStorage': 'I8',
  'torch ByteStorage': 'U8',
  'torch BoolStorage': 'BOOL',
};

type Construct = (args: readonly PickleValue[], fail: (rule: string, got?: unknown) => StepVideoError) => PickleValue;

const constructors: Readonly<Record<string, Construct>> = {
  'collections OrderedDict': (args, fail) => {
    if (args.length === 0) return new Map();
    const pairs = args[0];
    if (args.length !== 1 || !Array.isArray(pairs)) throw fail('an OrderedDict must be made of a list of pairs');
    return new Map(
      pairs.map((pair): [PickleValue, PickleValue] => {
        const items = pair instanceof PickleTuple ? pair.items : Array.isArray(pair) ? pair : [];
        if (items.length !== 2) throw fail('an OrderedDict must be made of a list of pairs');
        return [items[0] as PickleValue, items[1] as PickleValue];
      }),
    );
  },
  'torch Size': (args, fail) => {
    if (args.length !== 1 || !(args[0] instanceof PickleTuple)) throw fail('torch.Size must be made of a tuple');
    return args[0];
  },
  'torch._utils _rebuild_tensor': (args, fail) => rebuildTensor(args, fail),
  'torch._utils _rebuild_tensor_v2': (args, fail) => rebuildTensor(args, fail),
  'torch._utils _rebuild_parameter': (args, fail) => {
    if (!(args[0] instanceof PickleTensor)) throw fail('a parameter must be made of a tensor');
    return args[0];
  },
};

/** The global of that name. Throws a checkpoint error that names it if it is not one that tensors need. */
export function allowedGlobal(op: string, module: string, name: string): PickleGlobal {
  const full = `${module} ${name}`;
  if (!Object.hasOwn(constructors, full) && !Object.hasOwn(storageTypes, full))
    throw checkpointError(
      op,
      'a pickled checkpoint may name nothing but tensors; this one was refused and nothing in it was run',
      `${module}.${name}`,
      'a safetensors file of the same weights',
    );
  return new PickleGlobal(full);
}

/** Applies one of the five constructors; storage types cannot be called. */
export function construct(op: string, callee: PickleValue, args: PickleValue): PickleValue {
  const fail = (rule: string, got?: unknown) => checkpointError(op, rule, got, 'downloading the file again');
  if (!(callee instanceof PickleGlobal) || !(args instanceof PickleTuple))
    throw fail('a pickle may call nothing but known names');
  const make = Object.hasOwn(constructors, callee.name) ? constructors[callee.name] : undefined;
  if (make === undefined) throw fail('this name cannot be called', callee.name);
  return make(args.items, fail);
}

/** The storage behind a persistent id `('storage', type, key, device, length[, view])`. */
export function storageOf(op: string, id: PickleValue): PickleStorage {
  const fail = (rule: string, got?: unknown) => checkpointError(op, rule, got, 'downloading the file again');
  if (!(id instanceof PickleTuple) || id.items[0] !== 'storage') throw fail('a persistent id must describe a storage');
  const [, type, key, , length, view] = id.items;
  const dtype = type instanceof PickleGlobal ? storageTypes[type.name] : undefined;
  if (dtype === undefined || typeof key !== 'string' || !isCount(length))
    throw fail('a storage must have a type, a key and a length');
  if (view === undefined || view === null) return new PickleStorage(key, dtype, length);
  const [, start, viewLength] = view instanceof PickleTuple ? view.items : [];
  if (!isCount(start) || !isCount(viewLength) || start + viewLength > length)
    throw fail(`the view of storage ${key} must lie inside it`);
  return new PickleStorage(key, dtype, length, start);
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function rebuildTensor(
  args: readonly PickleValue[],
  fail: (rule: string, got?: unknown) => StepVideoError,
): PickleTensor {
  const [storage, offset, size, stride] = args;
  if (!(storage instanceof PickleStorage) || !isCount(offset)) throw fail('a tensor must have a storage and an offset');
  const shape = counts(size);
  const strides = counts(stride);
  if (shape === undefined || strides === undefined || shape.length !== strides.length)
    throw fail('a tensor must have a shape and as many strides');
  const elements = shape.reduce((n, d) => n * d, 1);
  const last = shape.reduce((sum, d, axis) => sum + (d - 1) * (strides[axis] as number), storage.start + offset);
  // Float arithmetic on huge numbers only grows them, so the comparison also catches overflow.
  if (!Number.isSafeInteger(elements) || (elements > 0 && last >= storage.length))
    throw fail(
      `a tensor of storage ${storage.key} must lie inside its ${storage.length} elements`,
      `shape [${shape}], strides [${strides}], offset ${offset}`,
    );
  return new PickleTensor(storage, storage.start + offset, shape, strides);
}

function counts(value: PickleValue | undefined): number[] | undefined {
  const items = value instanceof PickleTuple ? value.items : undefined;
  return items?.every(isCount) ? (items as number[]) : undefined;
}
