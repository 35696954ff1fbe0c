/**
 * ModelScope: its listing, addresses and token. No library for Node exists; the two requests are those of its Python
 * library (modelscope_hub). Does not know which files matter.
 */
import { z } from 'zod';
import { inputError, StepVideoError } from '../errors.ts';
import { type Environment, MODELSCOPE_REVISION } from './cache-paths.ts';
import { type Hub, type HubFile, OP } from './hub.ts';
import { modelscopeStore } from './store.ts';

const fileSchema = z.object({
  Type: z.string().default('blob'),
  Path: z.string(),
  Size: z.int().nonnegative(),
  Sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/i)
    .or(z.literal(''))
    .nullish(),
});

const answerSchema = z.object({
  Code: z.int().optional(),
  Message: z.string().optional(),
  Success: z.boolean().optional(),
  Data: z.object({ Files: z.array(fileSchema) }).nullish(),
});

/**
 * The hub at `endpoint`, else MODELSCOPE_ENDPOINT or MODELSCOPE_DOMAIN, else the public one. MODELSCOPE_API_TOKEN goes to
 * the latter only; a token saved by logging in is pickled, and pickles are not read here.
 */
export function modelscope(env: Environment, endpoint?: string): Hub {
  const configured = env.MODELSCOPE_ENDPOINT || env.MODELSCOPE_DOMAIN || 'https://modelscope.cn';
  const own = (/^https?:\/\//.test(configured) ? configured : `https://${configured}`).replace(/\/+$/, '');
  const at = endpoint?.replace(/\/+$/, '') ?? own;
  const token = at === own ? env.MODELSCOPE_API_TOKEN?.trim() : undefined;
  return {
    name: 'modelscope',
    endpoint: at,
    defaultRevision: MODELSCOPE_REVISION,
    // Older services read the cookie, newer ones the header.
    headers: token ? { authorization: `Bearer ${token}`, cookie: `m_session_id=${token}` } : {},
    tokenHint: 'checking the name, or MODELSCOPE_API_TOKEN with a token that may read it',
    async list(repository, revision, http) {
      const query = new URLSearchParams({ Revision: revision, Recursive: 'True' });
      const response = await http.json(`${at}/api/v1/models/${repository}/repo/files?${query}`);
      const parsed = answerSchema.safeParse(await response.json().catch(() => undefined));
      if (!parsed.success) {
        const got = z.prettifyError(parsed.error).slice(0, 200);
        throw new StepVideoError('environment', OP, `${at} must list the files of ${repository}`, got);
      }
      const { Code = 200, Message, Success = true, Data } = parsed.data;
      if (Code !== 200 || !Success || !Data) {
        throw inputError(OP, `${at} must have ${repository} at ${revision}`, Message || `code ${Code}`);
      }
      const files = Data.Files.filter(({ Type }) => Type !== 'tree').map(toHubFile);
      // Files are fetched by the name of the branch: the listing names no commit of the whole.
      return { revision, commit: revision, files };
    },
    fileUrl: (repository, commit, path) =>
      `${at}/api/v1/models/${repository}/repo?${new URLSearchParams({ Revision: commit, FilePath: path })}`,
    store: (repository, listing) => modelscopeStore(env, repository, listing),
  };
}

function toHubFile({ Path: path, Size: size, Sha256: hash }: z.infer<typeof fileSchema>): HubFile {
  return hash ? { path, size, sha256: hash.toLowerCase() } : { path, size };
}
