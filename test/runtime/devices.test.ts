/** Devices tried in a process of their own, the sentence where one is missing, and the dtype that a GPU would get. */
import { describe, expect, it } from 'vitest';
import { dtypeOfCapability, inferenceDtype, parseCapabilities } from '../../src/runtime/compute-dtype.ts';
import { remedyFor } from '../../src/runtime/device-remedy.ts';
import { settleDevice } from '../../src/runtime/settle-device.ts';
import { type DeviceReport, runTrial, tryDevice } from '../../src/runtime/try-device.ts';

const NOTHING = { platform: 'linux/x64', cudaProvider: false, nvidiaDevice: false };
const script = (text: string): string[] => ['-e', text];

describe('a trial', () => {
  it('of the CPU computes', { timeout: 60_000 }, async () => {
    expect(await tryDevice('cpu')).toMatchObject({ device: 'cpu', works: true });
  });

  it('that hangs ends at its time limit', async () => {
    expect(await runTrial(script('setInterval(() => {}, 1000)'), 300)).toEqual({
      works: false,
      reason: 'no answer within 0.3 s',
    });
  });

  it.each([
    ['that crashes', 'process.kill(process.pid, "SIGSEGV")', /its process ended with SIGSEGV/],
    [
      'that fails',
      'console.error("no such library"); process.exit(3)',
      /its process ended with code 3: no such library/,
    ],
    ['that says nothing', '', /its process ended with code 0/],
  ])('%s says so', { timeout: 60_000 }, async (_, text, reason) => {
    expect(await runTrial(script(text), 60_000)).toMatchObject({ works: false, reason: expect.stringMatching(reason) });
  });

  it('reads the last line of the program', { timeout: 60_000 }, async () => {
    const trial = script('console.log("driver chatter"); console.log(JSON.stringify({ works: true, float16: false }))');
    expect(await runTrial(trial, 60_000)).toEqual({ works: true, float16: false });
  });
});

describe('what is missing', () => {
  it.each([
    [
      'everything',
      'Failed to load shared library',
      NOTHING,
      /NVIDIA device.* and the CUDA library/,
      /nvidia-smi.*npm rebuild/,
    ],
    [
      "ONNX Runtime's part",
      'Failed to load shared library',
      { ...NOTHING, nvidiaDevice: true },
      /^the CUDA library of ONNX Runtime$/,
      /ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node --ignore-scripts=false/,
    ],
    [
      'a library of CUDA',
      'libcudnn.so.9: cannot open shared object file: No such file or directory',
      { ...NOTHING, cudaProvider: true, nvidiaDevice: true },
      /^libcudnn\.so\.9$/,
      /cuDNN 9/,
    ],
    ['another platform', '', { ...NOTHING, platform: 'darwin/arm64' }, /darwin\/arm64/, /--device webgpu/],
  ])('for CUDA: %s', (_, reason, around, missing, install) => {
    const remedy = remedyFor('cuda', reason, around);
    expect(remedy.missing).toMatch(missing);
    expect(remedy.install).toMatch(install);
  });

  it('for WebGPU: a driver on Linux, a build on arm', () => {
    expect(remedyFor('webgpu', 'webgpu_context.cc:136 adapter_result.status', NOTHING).missing).toBe('a Vulkan driver');
    expect(remedyFor('webgpu', 'x', { ...NOTHING, platform: 'linux/arm64' }).missing).toMatch(/linux\/arm64/);
    expect(remedyFor('webgpu', 'x', { ...NOTHING, platform: 'win32/x64' }).missing).toMatch(/graphics adapter/);
  });
});

describe('settleDevice', () => {
  const broken: DeviceReport = {
    device: 'cuda',
    works: false,
    seconds: 1,
    reason: 'libcudnn.so.9: cannot open',
    missing: 'libcudnn.so.9',
    install: 'CUDA 12 and cuDNN 9',
  };

  it('keeps a device that works, and never tries the CPU', async () => {
    const works = async (device: DeviceReport['device']): Promise<DeviceReport> => {
      expect(device).not.toBe('cpu');
      return { device, works: true, seconds: 1, float16: true };
    };
    expect(await settleDevice('webgpu', works)).toEqual({ device: 'webgpu', warning: undefined });
    expect(await settleDevice('cpu', works)).toEqual({ device: 'cpu', warning: undefined });
  });

  it('falls back to the CPU with a sentence: what is missing, and how to install it', async () => {
    expect(await settleDevice('cuda', async () => broken)).toEqual({
      device: 'cpu',
      warning: 'device cuda needs libcudnn.so.9, so this runs on the CPU (to install: CUDA 12 and cuDNN 9)',
    });
  });
});

describe('the dtype of matrix products', () => {
  it.each([
    [undefined, 'float32'],
    [6.1, 'float32'],
    [7, 'float16'],
    [7.5, 'float16'],
    [8, 'bfloat16'],
    [12.1, 'bfloat16'],
    [Number.NaN, 'float32'],
  ])('of compute capability %s is %s', (capability, dtype) => {
    expect(dtypeOfCapability(capability)).toBe(dtype);
  });

  it('is that of the least device, from what nvidia-smi prints', () => {
    expect(parseCapabilities('9.0\n7.5\n')).toBe(7.5);
    expect(parseCapabilities('NVIDIA-SMI has failed because it could not communicate')).toBeUndefined();
  });

  it('is float32 on CPU and WebGPU', async () => {
    expect(await Promise.all([inferenceDtype('cpu'), inferenceDtype('webgpu')])).toEqual(['float32', 'float32']);
  });
});
