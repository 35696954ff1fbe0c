/**
 * Hugging Face, and every mirror that answers as it does: listings by its own library, addresses, token.
 * Does not know which files matter.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { StepVideoError } from '../errors.ts';
import { type Environment, HUGGINGFACE_REVISION, huggingfaceHome } from './cache-paths.ts';
import { type Hub, type HubFile, OP } from './hub.ts';
import { huggingfaceStore } from './store.ts';

const entrySchema = z.object({
  type: z.string(),
  path: z.string(),
  size: z.int().nonnegative(),
  oid: z.string().regex(/^[0-9a-f]{40}$/),
  lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().nonnegative() }).optional(),
});

const commitSchema = z.string().regex(/^[0-9a-f]{40}$/);

/**
 * The hub at `endpoint`, else HF_ENDPOINT, else the public one. The token (HF_TOKEN, or what logging in has left) goes to
 * the last two only: an address from a command line is not trusted with it.
 */
export async function huggingface(env: Environment, endpoint?: string): Promise<Hub> {
  const own = (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');
  const at = endpoint?.replace(/\/+$/, '') ?? own;
  const token = at === own ? await tokenOf(env) : undefined;
  return {
    name: 'huggingface',
    endpoint: at,
    defaultRevision: HUGGINGFACE_REVISION,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    tokenHint: at === own ? 'checking the name, or HF_TOKEN with a token that may read it' : `HF_ENDPOINT=${at}`,
    async list(repository, revision, http) {
      // Heavy, and needed by a pull alone.
      const { listFiles, modelInfo } = await import('@huggingface/hub');
      // Status, type and repeated tries are settled before the library sees an answer.
      const fetch = http.json as unknown as typeof globalThis.fetch;
      try {
        const info = await modelInfo({ name: repository, revision, hubUrl: at, additionalFields: ['sha'], fetch });
        const commit = commitSchema.parse(info.sha);
        const files: HubFile[] = [];
        const repo = { type: 'model', name: repository } as const;
        for await (const entry of listFiles({ repo, recursive: true, revision: commit, hubUrl: at, fetch })) {
          if (entry.type === 'file') files.push(toHubFile(entry));
        }
        return { revision, commit, files };
      } catch (error) {
        if (error instanceof StepVideoError) throw error;
        const got = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
        throw new StepVideoError('environment', OP, `${at} must list the files of ${repository}`, got.slice(0, 200));
      }
    },
    fileUrl: (repository, commit, path) =>
      `${at}/${repository}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`,
    store: (repository, listing) => huggingfaceStore(env, repository, listing),
  };
}

function toHubFile(entry: unknown): HubFile {
  const { path, size, oid, lfs } = entrySchema.parse(entry);
  return lfs ? { path, size: lfs.size, sha256: lfs.oid } : { path, size, gitSha1: oid };
}

async function tokenOf(env: Environment): Promise<string | undefined> {
  const given = env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN;
  const file = env.HF_TOKEN_PATH || join(huggingfaceHome(env), 'token');
  const token = given ?? (await readFile(file, 'utf8').catch(() => ''));
  return token.trim() || undefined;
}
