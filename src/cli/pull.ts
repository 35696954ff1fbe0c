/**
 * `step-video pull`: fetches a checkpoint from a model hub and prints the directory that `--model` takes.
 */
import { inputError } from '../errors.ts';
import type { PullRequest } from '../pull.ts';
import type { Command, World } from './command.ts';
import { JSON_FLAG } from './generate.ts';
import { pullProgress } from './pull-progress.ts';

const OFFICIAL = 'stepfun-ai/stepvideo-t2v';

export const pullCommand: Command = {
  name: 'pull',
  usage: 'OWNER/NAME [flags]',
  about: `fetch a checkpoint, such as ${OFFICIAL}; goes on where it was stopped`,
  flags: [
    {
      name: 'turbo',
      kind: 'switch',
      value: '',
      about: 'the distilled model of the same name, which needs fewer steps',
    },
    {
      name: 'from',
      kind: 'text',
      value: 'huggingface|modelscope|URL',
      about: 'hub, or a mirror (default huggingface)',
    },
    {
      name: 'only',
      kind: 'text',
      value: 'transformer,vae,…',
      about: 'components: transformer, vae, step_llm, hunyuan_clip',
    },
    { name: 'revision', kind: 'text', value: 'NAME', about: 'branch, tag or commit (default: the main branch)' },
    JSON_FLAG,
  ],
  async run({ values, words, world }) {
    const [repository, ...rest] = words;
    if (repository === undefined) throw inputError('pull', 'OWNER/NAME must be given', undefined, OFFICIAL);
    if (rest.length > 0) throw inputError('pull', 'takes one repository', words.join(' '));
    const { pull } = await import('../pull.ts');
    const { turbo, from, only, revision } = values as Record<string, string>;
    // What is not one of the names yet: `pull` judges it.
    const request = { repository, turbo, from, revision, only: only?.split(',') } as unknown as PullRequest;
    const nameOf = (field: string): string => (field === 'repository' ? 'OWNER/NAME' : `--${field}`);
    const progress = values.json ? jsonLines(world) : pullProgress(world);
    try {
      const { directory, ...counts } = await pull(request, { signal: world.signal, onEvent: progress.show, nameOf });
      progress.stop();
      if (values.json) world.print(JSON.stringify({ type: 'done', directory, ...counts }));
      else {
        world.print(directory);
        if (only === undefined)
          world.note(`to use it:\n  ${world.program} --model ${nameAfter(repository, turbo)} "…"`);
      }
      return 0;
    } finally {
      progress.stop();
    }
  },
};

const nameAfter = (repository: string, turbo: unknown): string =>
  turbo && !repository.endsWith('-turbo') ? `${repository}-turbo` : repository;

const jsonLines = (world: World) => ({ show: (event: object) => world.print(JSON.stringify(event)), stop() {} });
