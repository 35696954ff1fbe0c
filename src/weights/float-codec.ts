/**
 * Element types ⇄ float32: exact upcasts, and rounding to nearest even on the way down.
 * Knows bit layouts; does not know files. Assumes a little-endian machine, as every platform of Node is in practice.
 */
import { internalError } from '../errors.ts';
import type { DType } from './tensor-entry.ts';

/** Bytes (row-major, little-endian, own buffer or 8-byte aligned) → float32. F32 shares the buffer, all else is a copy. */
export function decodeFloat(bytes: Uint8Array, dtype: DType): Float32Array {
  const { buffer, byteOffset: at, byteLength: n } = bytes;
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer, at, n / 4);
    case 'F16':
      return halfToFloat(new Uint16Array(buffer, at, n / 2));
    case 'BF16':
      return bfloatToFloat(new Uint16Array(buffer, at, n / 2));
    case 'F64':
      return Float32Array.from(new Float64Array(buffer, at, n / 8));
    case 'I64':
      return Float32Array.from(new BigInt64Array(buffer, at, n / 8), Number);
    case 'I32':
      return Float32Array.from(new Int32Array(buffer, at, n / 4));
    case 'I16':
      return Float32Array.from(new Int16Array(buffer, at, n / 2));
    case 'I8':
      return Float32Array.from(new Int8Array(buffer, at, n));
    case 'U8':
      return Float32Array.from(bytes);
    case 'BOOL':
      return Float32Array.from(bytes, (b) => (b === 0 ? 0 : 1));
  }
}

/** Float32 → bytes of a float type, rounded to nearest, ties to even; beyond the range becomes infinity, NaN stays NaN. */
export function encodeFloat(data: Float32Array, dtype: DType): Uint8Array {
  switch (dtype) {
    case 'F32':
      return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    case 'F64':
      return new Uint8Array(Float64Array.from(data).buffer);
    case 'F16':
      return new Uint8Array(mapBits(data, halfBits).buffer);
    case 'BF16':
      return new Uint8Array(mapBits(data, bfloatBits).buffer);
    default:
      throw internalError('encodeFloat', 'float32 data can be stored as F64, F32, F16 or BF16', dtype);
  }
}

function mapBits(data: Float32Array, convert: (bits: number) => number): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const out = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = convert(bits[i] as number);
  return out;
}

function bfloatToFloat(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = (halves[i] as number) << 16;
  return new Float32Array(bits.buffer);
}

/** The upper half of the pattern; adding 0x7fff plus the kept bit's parity rounds ties to even and carries into the exponent. */
function bfloatBits(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

let halfTable: Uint32Array | undefined;

function halfToFloat(halves: Uint16Array): Float32Array {
  halfTable ??= buildHalfTable();
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halfTable[halves[i] as number] as number;
  return new Float32Array(bits.buffer);
}

/** All 65536 half patterns as float32 patterns (256 KB): one look-up each is several times faster than the arithmetic. */
function buildHalfTable(): Uint32Array {
  const table = new Uint32Array(65536);
  const scratch = new Float32Array(1);
  const scratchBits = new Uint32Array(scratch.buffer);
  for (let half = 0; half < 65536; half++) {
    const sign = (half & 0x8000) << 16;
    const exponent = (half >>> 10) & 31;
    const mantissa = half & 1023;
    if (exponent === 31) table[half] = sign | 0x7f800000 | (mantissa << 13);
    else if (exponent > 0) table[half] = sign | ((exponent + 112) << 23) | (mantissa << 13);
    else {
      scratch[0] = mantissa * 2 ** -24;
      table[half] = sign | (scratchBits[0] as number);
    }
  }
  return table;
}

/** Float32 pattern → half pattern. */
function halfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 1023);
  // 65520 is the first magnitude that rounds to infinity.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  // Below 2^-14: a count of 2^-24 steps. At or below half a step nothing is left (a tie goes to even, zero).
  if (magnitude <= 0x33000000) return sign;
  const significand = (magnitude & 0x7fffff) | 0x800000;
  const shift = 126 - (magnitude >>> 23);
  const kept = significand >>> shift;
  const rest = significand & ((1 << shift) - 1);
  const tie = 1 << (shift - 1);
  return sign | (kept + (rest > tie || (rest === tie && (kept & 1) === 1) ? 1 : 0));
}
