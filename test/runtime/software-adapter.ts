/**
 * The WebGPU adapter of the tests: a real one where there is one, otherwise the software one of Debian's chromium. To be
 * imported before anything opens the device.
 */
import { existsSync } from 'node:fs';
import { compile } from '../../src/runtime/compile.ts';
import { add, input } from '../../src/tensor/index.ts';

const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';
// Read by the Vulkan loader when the device is first opened.
if (process.env.VK_ICD_FILENAMES === undefined && existsSync(SWIFTSHADER)) process.env.VK_ICD_FILENAMES = SWIFTSHADER;

/** Why there is none, said aloud as `untested`; undefined where one opens. */
export async function missingAdapter(untested: string): Promise<Error | undefined> {
  const failure = await compile({ y: add(input('x', []), 1) }, { device: 'webgpu' }).then(
    async (executable) => {
      await executable.dispose();
      return undefined;
    },
    (error: Error) => error,
  );
  if (failure !== undefined) {
    const reason = failure.message.slice(0, 160);
    console.warn(`${untested} NOT TESTED: no adapter here (${reason}). Debian: apt-get install chromium`);
  }
  return failure;
}
