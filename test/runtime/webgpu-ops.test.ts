/**
 * Every op and gradient on the WebGPU device, where one loads: a real adapter, or the software one of Debian's chromium.
 */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compile } from '../../src/runtime/compile.ts';
import { add, input } from '../../src/tensor/index.ts';
import { opSuite } from './op-suite.ts';

const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';
// Read by the Vulkan loader when the device is first opened.
if (process.env.VK_ICD_FILENAMES === undefined && existsSync(SWIFTSHADER)) process.env.VK_ICD_FILENAMES = SWIFTSHADER;

const failure = await compile({ y: add(input('x', []), 1) }, { device: 'webgpu' }).then(
  async (executable) => {
    await executable.dispose();
    return undefined;
  },
  (error: Error) => error,
);

if (failure === undefined) opSuite('webgpu', 20);
else {
  console.warn(
    `WebGPU ops NOT TESTED: no adapter here (${failure.message.slice(0, 160)}). Debian: apt-get install chromium`,
  );
  test('a missing WebGPU adapter is an error of the session, not a crash', () => {
    expect(failure).toBeInstanceOf(Error);
  });
}
