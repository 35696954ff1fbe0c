/**
 * `step-video data build`: fetches the training data and builds emoji world, or says that it is there already.
 */
import { inputError } from '../errors.ts';
import type { Command } from './command.ts';

export const dataCommand: Command = {
  name: 'data',
  usage: 'build [flags]',
  about: 'fetch and build the training data (emoji world, about 530 MB of downloads)',
  flags: [
    { name: 'out', kind: 'text', value: 'DIR', about: 'where it goes (default cache/data)' },
    { name: 'registry', kind: 'text', value: 'URL', about: 'npm registry to fetch from (default: the configured one)' },
  ],
  async run({ values, words, world }) {
    if (words.length !== 1 || words[0] !== 'build')
      throw inputError('data', 'must be followed by build', words.join(' ') || undefined);
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
        if (progress.stage === 'sprites')
          return show(`sprites ${progress.done}/${progress.total}: ${progress.subject}`);
        const { received, total } = progress;
        // A line every tenth, not every block that arrives.
        show(`${progress.package}: ${total ? `${Math.floor((10 * received) / total) * 10} %` : 'downloading'}`);
      },
    });
    world.print(`${outDir}: ${built.subjects.length} subjects${isNew ? '' : ', complete already'}`);
    return 0;
  },
};
