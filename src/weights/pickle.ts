/**
 * A restricted reader of Python pickles (protocol 2 and up): a stack machine over plain data that executes nothing.
 * Knows opcodes; which names may appear, and what they make, is decided in pickle-values.ts. Any other opcode is refused.
 */
import { checkpointError } from '../errors.ts';
import {
  allowedGlobal,
  construct,
  type PickleStorage,
  PickleTuple,
  type PickleValue,
  storageOf,
} from './pickle-values.ts';

/** Thrown inside the machine when the bytes end before the pickle does; callers that hold only the head of a file read more. */
export class PickleCutShort extends Error {}

export type Unpickled = {
  readonly value: PickleValue;
  /** Every storage that the pickle refers to, by key. */
  readonly storages: ReadonlyMap<string, PickleStorage>;
  /** Offset just after the pickle. */
  readonly end: number;
};

/**
 * Reads one pickle that starts at `start`. `op` opens the error messages (what is read, which file).
 * Throws a checkpoint error for anything but tensors and plain data, `PickleCutShort` if `bytes` end too early.
 */
export function unpickle(op: string, bytes: Uint8Array, start = 0): Unpickled {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stack: PickleValue[] = [];
  const marks: number[] = [];
  const memo = new Map<number, PickleValue>();
  const storages = new Map<string, PickleStorage>();
  let at = start;

  const fail = (rule: string, got?: unknown) =>
    checkpointError(op, `${rule} (at byte ${at - 1})`, got, 'downloading the file again');
  const take = (length: number): number => {
    if (!Number.isSafeInteger(length) || length < 0) throw fail('a length must not be negative', length);
    const from = at;
    if (from + length > bytes.byteLength) throw new PickleCutShort();
    at += length;
    return from;
  };
  const u1 = () => view.getUint8(take(1));
  const u2 = () => view.getUint16(take(2), true);
  const u4 = () => view.getUint32(take(4), true);
  const u8 = () => Number(view.getBigUint64(take(8), true));
  const raw = (length: number) => bytes.slice(take(length), at);
  const text = (length: number) => new TextDecoder().decode(bytes.subarray(take(length), at));
  const line = () => {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) throw new PickleCutShort();
    const found = text(end - at);
    at = end + 1;
    return found;
  };
  const pop = (): PickleValue => {
    if (stack.length <= (marks.at(-1) ?? 0)) throw fail('the stack ran empty');
    return stack.pop() as PickleValue;
  };
  const top = (): PickleValue => {
    const value = pop();
    stack.push(value);
    return value;
  };
  const popMark = (): PickleValue[] => {
    const mark = marks.pop();
    if (mark === undefined) throw fail('a mark is missing');
    return stack.splice(mark);
  };
  const recall = (slot: number) => {
    if (!memo.has(slot)) throw fail('a memo slot must be filled before use', slot);
    stack.push(memo.get(slot) as PickleValue);
  };
  const setItems = (items: readonly PickleValue[]) => {
    const target = top();
    if (!(target instanceof Map) || items.length % 2 !== 0) throw fail('only a dict takes keys and values');
    for (let i = 0; i < items.length; i += 2) target.set(items[i] as PickleValue, items[i + 1] as PickleValue);
  };
  const append = (items: readonly PickleValue[]) => {
    const target = top();
    if (!Array.isArray(target)) throw fail('only a list can be appended to');
    for (const item of items) target.push(item);
  };
  const tuple = (size: number) => {
    const items = Array.from({ length: size }, pop).reverse();
    stack.push(new PickleTuple(items));
  };
  const persistent = (id: PickleValue): PickleStorage => {
    const storage = storageOf(op, id);
    const known = storages.get(storage.key) ?? storage;
    if (known.dtype !== storage.dtype || known.length !== storage.length)
      throw fail(`storage ${storage.key} must have one type and length`, `${known.dtype} and ${storage.dtype}`);
    storages.set(storage.key, storage);
    return storage;
  };
  const global = (module: PickleValue, name: PickleValue) => {
    if (typeof module !== 'string' || typeof name !== 'string') throw fail('a global must have a name');
    stack.push(allowedGlobal(op, module, name));
  };

  for (;;) {
    const code = u1();
    switch (String.fromCharCode(code)) {
      case '\x80': // PROTO
        u1();
        break;
      case '\x95': // FRAME
        u8();
        break;
      case '.': {
        const value = pop();
        if (stack.length > 0 || marks.length > 0) throw fail('a pickle must end with one value');
        return { value, storages, end: at };
      }
      case '(':
        marks.push(stack.length);
        break;
      case '0':
        pop();
        break;
      case '1':
        popMark();
        break;
      case '2':
        stack.push(top());
        break;
      case 'N':
        stack.push(null);
        break;
      case '\x88':
        stack.push(true);
        break;
      case '\x89':
        stack.push(false);
        break;
      case 'K':
        stack.push(u1());
        break;
      case 'M':
        stack.push(u2());
        break;
      case 'J':
        stack.push(view.getInt32(take(4), true));
        break;
      case 'G':
        stack.push(view.getFloat64(take(8), false));
        break;
      case '\x8a': // LONG1
        stack.push(long(raw(u1())));
        break;
      case '\x8b': // LONG4
        stack.push(long(raw(u4())));
        break;
      case 'X':
        stack.push(text(u4()));
        break;
      case '\x8c':
        stack.push(text(u1()));
        break;
      case '\x8d':
        stack.push(text(u8()));
        break;
      case 'U': // byte strings of protocol 2 writers on Python 2: names, so read as text
        stack.push(text(u1()));
        break;
      case 'T':
        stack.push(text(u4()));
        break;
      case 'C':
        stack.push(raw(u1()));
        break;
      case 'B':
        stack.push(raw(u4()));
        break;
      case ')':
        stack.push(new PickleTuple([]));
        break;
      case '\x85':
        tuple(1);
        break;
      case '\x86':
        tuple(2);
        break;
      case '\x87':
        tuple(3);
        break;
      case 't':
        stack.push(new PickleTuple(popMark()));
        break;
      case ']':
        stack.push([]);
        break;
      case 'l':
        stack.push(popMark());
        break;
      case 'a':
        append([pop()]);
        break;
      case 'e':
        append(popMark());
        break;
      case '}':
        stack.push(new Map());
        break;
      case 's': {
        const value = pop();
        setItems([pop(), value]);
        break;
      }
      case 'u':
        setItems(popMark());
        break;
      case 'q':
        memo.set(u1(), top());
        break;
      case 'r':
        memo.set(u4(), top());
        break;
      case '\x94':
        memo.set(memo.size, top());
        break;
      case 'h':
        recall(u1());
        break;
      case 'j':
        recall(u4());
        break;
      case 'c': {
        const module = line();
        global(module, line());
        break;
      }
      case '\x93': {
        const name = pop();
        global(pop(), name);
        break;
      }
      case 'R':
      case '\x81': {
        const args = pop();
        stack.push(construct(op, pop(), args));
        break;
      }
      case 'b': {
        // State of an OrderedDict (state dicts carry `_metadata`): it says nothing about tensors, so it is dropped.
        pop();
        if (!(top() instanceof Map)) throw fail('only a dict may have a state');
        break;
      }
      case 'Q':
        stack.push(persistent(pop()));
        break;
      default:
        throw fail('the pickle must use plain data only', `opcode 0x${code.toString(16)}`);
    }
  }
}

/** Little-endian two's complement; a plain number where it is one exactly. */
function long(bytes: Uint8Array): number | bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
  value = BigInt.asIntN(Math.max(8 * bytes.length, 1), value);
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
