/**
 * Reading a range of bytes of an open file, however long.
 * Does not judge a short read; callers know what the bytes were for.
 */
import type { FileHandle } from 'node:fs/promises';

/** One read call moves at most this much: the system call counts in 31 bits. */
const largestRead = 1 << 30;

/** Up to `length` bytes from `offset`, in a buffer of their own (typed views need offset 0); fewer where the file ends. */
export async function readRange(handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, largestRead), offset + done);
    if (bytesRead === 0) return bytes.subarray(0, done);
    done += bytesRead;
  }
  return bytes;
}
