/**
 * What the rest asks of a model hub: a listing of one revision, an address for each file, and where its cache puts them.
 * Knows no hub; `huggingface.ts` and `modelscope.ts` are the two there are.
 */
import type { Http } from './http.ts';
import type { Store } from './store.ts';

/** What errors begin with. */
export const OP = 'pull';

export const HUBS = ['huggingface', 'modelscope'] as const;
export type HubName = (typeof HUBS)[number];

/** One file of a revision. `path` is relative, with slashes; hashes are lower-case hex, absent where the hub gives none. */
export type HubFile = {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly sha256?: string;
  /** Name of the content as a git blob. */
  readonly gitSha1?: string;
};

/** All files of a repository at one moment. */
export type Listing = {
  /** What was asked for: a branch, a tag or a commit. */
  readonly revision: string;
  /** What files are fetched by: the commit, where the hub has told it. */
  readonly commit: string;
  readonly files: readonly HubFile[];
};

export type Hub = {
  readonly name: HubName;
  /** Address without trailing slash. */
  readonly endpoint: string;
  readonly defaultRevision: string;
  /** Sent to the endpoint, and by `fetch` to no other origin that it redirects to. */
  readonly headers: Readonly<Record<string, string>>;
  /** What to do about a refused token. */
  readonly tokenHint: string;
  /** @throws StepVideoError where repository or revision do not exist, or the answer is not a listing. */
  list(repository: string, revision: string, http: Http): Promise<Listing>;
  fileUrl(repository: string, commit: string, path: string): string;
  store(repository: string, listing: Listing): Store;
};

/** `owner/name`, as both hubs spell it. */
export const isRepositoryName = (text: string): boolean =>
  /^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(text) && !text.includes('..');
