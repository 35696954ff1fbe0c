/**
 * The official modules under PyTorch in a process of their own, driven line by line. Does not know what is compared.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { StepVideoError } from '../../src/errors.ts';
import type { Value } from '../../src/runtime/value.ts';
import { openSafetensors, writeSafetensors } from '../../src/weights/safetensors.ts';

export type PeerModel = {
  readonly name: string;
  readonly kind: 'dit' | 'dit-train' | 'vae-decode' | 'vae-train' | 'bert' | 'step-llm';
  readonly config: object;
  /** Under the official state-dict names. */
  readonly weights: ReadonlyMap<string, Value>;
  readonly inputs: Readonly<Record<string, Value>>;
};

export interface PytorchPeer {
  /** Version and threads, as PyTorch says them. */
  readonly about: string;
  load(model: PeerModel): Promise<void>;
  /** Seconds of one run, by the peer's own clock. */
  run(name: string): Promise<number>;
  /** The last result. */
  output(name: string): Promise<Float32Array>;
  dispose(): Promise<void>;
}

const PROGRAM = fileURLToPath(new URL('../pytorch/peer.py', import.meta.url));
const STORED = { float32: 'F32', int32: 'I32', int64: 'I64' } as const;

/** @throws environment error where Python, torch or the official checkout are missing. */
export async function pytorchPeer(options: {
  python: string;
  official: string;
  threads: number;
}): Promise<PytorchPeer> {
  const { python, official, threads } = options;
  const folder = await mkdtemp(path.join(tmpdir(), 'step-video-peer-'));
  const child = spawn(python, [PROGRAM], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // Idle workers must sleep while the other side is timed.
    env: {
      ...process.env,
      STEP_VIDEO_OFFICIAL: official,
      THREADS: String(threads),
      OMP_WAIT_POLICY: 'PASSIVE',
      KMP_BLOCKTIME: '0',
    },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  failed.catch(() => {});
  const ask = async (command: object): Promise<Record<string, unknown>> => {
    child.stdin.write(`${JSON.stringify(command)}\n`);
    const line = await Promise.race([lines.next(), failed]);
    const answer = line.done ? { error: 'the process ended' } : JSON.parse(line.value);
    if (answer.error !== undefined)
      throw new StepVideoError(
        'environment',
        'pytorch peer',
        `${python} must answer`,
        answer.error,
        'pip install torch einops transformers',
      );
    return answer;
  };
  const { about } = await ask({ cmd: 'about' });
  return {
    about: String(about),
    async load({ name, kind, config, weights, inputs }) {
      const file = path.join(folder, `${name.replaceAll(/\W+/g, '-')}.safetensors`);
      const tensors = [
        ...[...weights].map(([tensor, value]) => stored(tensor, value)),
        ...Object.entries(inputs).map(([input, value]) => stored(`input:${input}`, value)),
      ];
      await writeSafetensors(file, tensors);
      await ask({ cmd: 'load', name, kind, config, tensors: file });
      await rm(file);
    },
    run: async (name) => Number((await ask({ cmd: 'run', name }))['seconds']),
    async output(name) {
      const file = path.join(folder, 'output.safetensors');
      await ask({ cmd: 'output', name, file });
      const source = await openSafetensors(file);
      const data = await source.readFloat32(source.tensors.get('output')!);
      await source.close();
      return data;
    },
    async dispose() {
      child.stdin.end();
      child.kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function stored(name: string, { dtype, shape, data }: Value) {
  return { name, dtype: STORED[dtype as keyof typeof STORED], shape: [...shape], data: data as Float32Array };
}
