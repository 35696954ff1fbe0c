/** Reading ahead finds every byte that is there, however ranges lie, and says where one is missing. */
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openWeightFiles, type WeightFiles } from '../../src/runtime/weight-files.ts';
import { temporaryFolder } from '../weights/temporary.ts';

const folder = temporaryFolder();
const path = join(folder, 'weights');
const size = 3 * 2 ** 20 + 7;
let files: WeightFiles;
beforeAll(async () => {
  writeFileSync(path, new Uint8Array(size));
  files = await openWeightFiles([path, path]);
});
afterAll(() => files.close());
const range = (offset: number, length: number) => ({ file: path, offset, length });

it('reads ranges that touch, lie apart, are empty or longer than the buffer', async () => {
  await files.readAhead([]);
  await files.readAhead([range(0, 10), range(10, 2 ** 20), range(2 ** 21, 2 ** 20 + 7), range(5, 0)]);
  await files.readAhead([range(0, size)]);
});

it('a range that ends after its file is a checkpoint error that names both', async () => {
  const failed = files.readAhead([range(0, 10), range(size - 5, 6)]);
  await expect(failed).rejects.toMatchObject({ kind: 'checkpoint' });
  await expect(failed).rejects.toThrow(`bytes ${size - 5} to ${size + 1} must be there, got its end at ${size}`);
});

it('notices a change of size, and a file that cannot be opened', async () => {
  files.check();
  truncateSync(path, 100);
  expect(() => files.check()).toThrow(/must stay as it was opened, 3145735 bytes of .* got 100 bytes of/);
  await expect(openWeightFiles([join(folder, 'none')])).rejects.toThrow(/ENOENT/);
});
