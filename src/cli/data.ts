/**
 * `step-video data build`: fetches the training data and builds emoji world, or says that it is there already.
 * `step-video data check DIR`: what training would use of a directory of clips, and what it would skip and why.
 */
import { inputError, StepVideoError } from '../errors.ts';
import type { Command, Invocation } from './command.ts';

export const dataCommand: Command = {
  name: 'data',
  usage: 'build [flags] | check DIR [flags]',
  about: 'build emoji world (about 530 MB of downloads), or look through a directory of your own clips',
  flags: [
    { name: 'out', kind: 'text', value: 'DIR', about: 'build: where it goes (default cache/data)' },
    {
      name: 'registry',
      kind: 'text',
      value: 'URL',
      about: 'build: npm registry to fetch from (default: the configured one)',
    },
    { name: 'fps', kind: 'number', value: 'N', about: 'check: frames per second of training (default 12)' },
    { name: 'json', kind: 'switch', value: '', about: 'check: the report as one JSON line' },
  ],
  async run(invocation) {
    const { words } = invocation;
    if (words[0] === 'build' && words.length === 1) return build(invocation);
    if (words[0] === 'check' && words.length === 2) return check(invocation, words[1]!);
    const rule =
      words[0] === 'check' ? 'check must be followed by one directory' : 'must be followed by build or check DIR';
    throw inputError('data', rule, words.join(' ') || undefined);
  },
};

async function build({ values, world }: Invocation): Promise<number> {
  const { buildEmojiWorld } = await import('../data/build.ts');
  const outDir = String(values.out ?? 'cache/data');
  let shown = '';
  const show = (line: string): void => {
    if (line !== shown) world.note(line);
    shown = line;
  };
  const { world: built, built: isNew } = await buildEmojiWorld({
    outDir,
    ...(values.registry !== undefined && { registry: String(values.registry) }),
    signal: world.signal,
    onProgress(progress) {
      if (progress.stage === 'sprites') return show(`sprites ${progress.done}/${progress.total}: ${progress.subject}`);
      const { received, total } = progress;
      // A line every tenth, not every block that arrives.
      show(`${progress.package}: ${total ? `${Math.floor((10 * received) / total) * 10} %` : 'downloading'}`);
    },
  });
  world.print(`${outDir}: ${built.subjects.length} subjects${isNew ? '' : ', complete already'}`);
  return 0;
}

async function check({ values, world }: Invocation, directory: string): Promise<number> {
  const { fps = 12 } = values;
  if (typeof fps !== 'number' || !(fps > 0 && fps <= 240))
    throw inputError('data', '--fps must be a number above 0 and at most 240', fps);
  const { checkClips, formatCheck } = await import('../data/check-clips.ts');
  const report = await checkClips(directory, {
    fps,
    signal: world.signal,
    onProgress: (done, total) => {
      if (done % 100 === 0) world.note(`${done} of ${total} decoded`);
    },
  });
  world.print(values.json ? JSON.stringify(report) : formatCheck(report));
  if (report.clips.length === 0)
    throw new StepVideoError('data', `data check ${directory}`, 'there must be a clip that decodes', 'none');
  return 0;
}
