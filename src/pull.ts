/**
 * Fetches the official checkpoint, or any repository in its layout, from a model hub into that hub's own cache.
 * Settles what the request means; the fetching is `src/hub/`.
 */
import { z } from 'zod';
import { inputError } from './errors.ts';
import type { Environment } from './hub/cache-paths.ts';
import { HUBS, type Hub, isRepositoryName } from './hub/hub.ts';
import { huggingface } from './hub/huggingface.ts';
import { modelscope } from './hub/modelscope.ts';
import { isOffline, offlineSnapshot } from './hub/offline.ts';
import type { PullEvent, Snapshot, SnapshotOptions } from './hub/snapshot.ts';
import { PRESET_FILE, type PRESETS } from './presets.ts';
import { components } from './weights/component-config.ts';

const requestSchema = z.strictObject({
  repository: z.string().refine(isRepositoryName, { error: 'must be OWNER/NAME, as in stepfun-ai/stepvideo-t2v' }),
  /** The distilled model of the repository, which is published beside it as NAME-turbo. */
  turbo: z.boolean().optional(),
  /** A hub's name, or the address of a mirror. */
  from: z
    .string()
    .refine(isHubOrUrl, { error: `must be one of ${HUBS.join(', ')}, or a URL` })
    .optional(),
  only: z
    .array(z.enum(components, { error: `must be some of ${components.join(',')}` }))
    .min(1, { error: `must be some of ${components.join(',')}` })
    .optional(),
  /** Branch, tag or commit. */
  revision: z
    .string()
    .regex(/^[\w-][\w./-]*$/, { error: 'must be a branch, a tag or a commit' })
    .refine((text) => !text.includes('..'), { error: 'must be a branch, a tag or a commit' })
    .optional(),
});

export type PullRequest = z.infer<typeof requestSchema>;

export type PullOptions = Pick<
  SnapshotOptions,
  'rangeBytes' | 'connections' | 'filesAtOnce' | 'patience' | 'retries' | 'pause' | 'signal' | 'onEvent' | 'env'
> & {
  /** What the user calls a field. */
  nameOf?: ((field: string) => string) | undefined;
};

export type { PullEvent, Snapshot };

/**
 * Fetches what is not there yet and returns the checkpoint directory. Goes on where an earlier call was cut short, and
 * shares the work with one that runs meanwhile.
 * @throws StepVideoError: `input` for a bad request or a repository that lacks something, `environment` for disk and
 *   network, `data` for a wrong or changed file, `aborted` on the signal.
 */
export async function pull(request: PullRequest, options: PullOptions = {}): Promise<Snapshot> {
  const { env = process.env, nameOf = (field) => field, ...rest } = options;
  const parsed = requestSchema.safeParse(request, { reportInput: true });
  if (!parsed.success) {
    const { message, path, input } = parsed.error.issues[0]!;
    throw inputError('pull', `${nameOf(String(path[0] ?? 'request'))} ${message}`, input);
  }
  const { turbo, from, only, revision, repository: given } = parsed.data;
  const repository = turbo && !isTurbo(given) ? `${given}-turbo` : given;
  const hub = await hubOf(env, from);
  const inOrder = only && components.filter((component) => only.includes(component));
  const wanted = { ...rest, env, repository, revision, only: inOrder, texts: presetTexts(repository) };
  if (isOffline(hub, env)) return offlineSnapshot(hub, wanted, env);
  // The HTTP client is not loaded for those who pull nothing.
  const { pullSnapshot } = await import('./hub/snapshot.ts');
  return pullSnapshot(hub, wanted);
}

async function hubOf(env: Environment, from = 'huggingface'): Promise<Hub> {
  if (from === 'modelscope') return modelscope(env);
  if (from === 'huggingface') return huggingface(env);
  const isModelScope = /(^|\.)modelscope\.(cn|ai)$/.test(new URL(from).hostname);
  return isModelScope ? modelscope(env, from) : huggingface(env, from);
}

function isHubOrUrl(text: string): boolean {
  return HUBS.some((name) => name === text) || (/^https?:\/\//.test(text) && URL.canParse(text));
}

const isTurbo = (repository: string): boolean => repository.endsWith('-turbo');

/** A distilled model samples by its own preset, which its repository does not say: a file beside the weights does. */
function presetTexts(repository: string): ReadonlyMap<string, string> {
  const preset = 'turbo' satisfies keyof typeof PRESETS;
  return new Map(isTurbo(repository) ? [[PRESET_FILE, `${JSON.stringify({ preset })}\n`]] : []);
}
