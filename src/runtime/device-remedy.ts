/**
 * Why a device does not work here and what to install, from the runtime's own words and from what is on this machine. Judges
 * only; nothing is opened.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Device } from './device.ts';

/** What is missing, as the rest of "… needs", and what to do about it. */
export type Remedy = { missing: string; install: string };

export type Surroundings = {
  /** `linux/x64` and the like. */
  readonly platform: string;
  /** ONNX Runtime's own CUDA library lies beside its binding. */
  readonly cudaProvider: boolean;
  /** The kernel has an NVIDIA device. */
  readonly nvidiaDevice: boolean;
};

/** What ONNX Runtime 1.30 for Node links its CUDA provider against. */
const INSTALL_PROVIDER = 'ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node --ignore-scripts=false';
const INSTALL_CUDA = 'CUDA 12 and cuDNN 9 from https://developer.nvidia.com/cuda-downloads, in LD_LIBRARY_PATH';
const INSTALL_DRIVER = "NVIDIA's driver, until nvidia-smi lists the device";

export function remedyFor(device: Device, reason: string, around: Surroundings): Remedy {
  switch (device) {
    case 'cpu':
      return {
        missing: 'a working ONNX Runtime',
        install: 'npm ci, on a platform that onnxruntime-node has binaries for',
      };
    case 'cuda':
      return cudaRemedy(reason, around);
    case 'webgpu':
      return webgpuRemedy(reason, around);
  }
}

function cudaRemedy(reason: string, { platform, cudaProvider, nvidiaDevice }: Surroundings): Remedy {
  if (platform !== 'linux/x64')
    return {
      missing: `linux/x64, the only platform with a CUDA build for Node (this is ${platform})`,
      install: '--device webgpu',
    };
  const wanted: Remedy[] = [];
  if (!nvidiaDevice) wanted.push({ missing: 'an NVIDIA device with its driver', install: INSTALL_DRIVER });
  if (!cudaProvider)
    wanted.push({ missing: 'the CUDA library of ONNX Runtime', install: `${INSTALL_PROVIDER}, then ${INSTALL_CUDA}` });
  const library = /(lib(?:cuda|cublas|cudnn|cufft|curand|nvrtc)\w*\.so[.\d]*)/.exec(reason)?.[1];
  if (library !== undefined && cudaProvider) wanted.push({ missing: library, install: INSTALL_CUDA });
  if (wanted.length === 0) return { missing: 'CUDA 12 and cuDNN 9', install: INSTALL_CUDA };
  return {
    missing: wanted.map((each) => each.missing).join(' and '),
    install: wanted.map((each) => each.install).join('; '),
  };
}

function webgpuRemedy(reason: string, { platform }: Surroundings): Remedy {
  if (platform === 'linux/arm64')
    return { missing: 'a platform with a WebGPU build for Node (linux/arm64 has none)', install: '--device cpu' };
  if (/adapter|vulkan|drivers?\b/i.test(reason) && platform.startsWith('linux'))
    return {
      missing: 'a Vulkan driver',
      install:
        "your GPU's driver (Debian: apt-get install mesa-vulkan-drivers); without a GPU, to try it: apt-get install chromium and VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json",
    };
  return { missing: 'a graphics adapter that WebGPU can use', install: "an up-to-date driver of your GPU's maker" };
}

export async function surroundings(): Promise<Surroundings> {
  const platform = `${process.platform}/${process.arch}`;
  const entry = createRequire(import.meta.url).resolve('onnxruntime-node');
  const provider = path.join(entry, '..', '..', 'bin', 'napi-v6', platform, 'libonnxruntime_providers_cuda.so');
  return {
    platform,
    cudaProvider: existsSync(provider),
    nvidiaDevice: existsSync('/dev/nvidiactl') || existsSync('/dev/dxg'),
  };
}
