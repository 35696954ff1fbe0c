/**
 * `step-video eval`: scores a model on held-out prompts and prints the table; the report and pictures go to a directory.
 */
import { SingleBar } from 'cli-progress';
import { isClipFolder } from '../data/open-source.ts';
import { inputError } from '../errors.ts';
import { readBars } from '../eval/bars.ts';
import type { EvaluationProgress } from '../eval/context.ts';
import { PARTS } from '../eval/settings.ts';
import { SETS, type SetName } from '../eval/test-set.ts';
import { settleDevice } from '../runtime/settle-device.ts';
import type { Command, World } from './command.ts';
import { REQUEST_FLAGS, requestFromFlags } from './request-flags.ts';

const TAKEN = new Set(['model', 'seed', 'frames', 'steps', 'guidance', 'time-shift', 'device']);

export const evalCommand: Command = {
  name: 'eval',
  usage: '[flags]',
  about: 'score a model on prompts that it was never trained on, and its VAE on real clips',
  flags: [
    ...REQUEST_FLAGS.filter(({ name }) => TAKEN.has(name)),
    { name: 'data', kind: 'text', value: 'DIR', about: 'emoji world (default cache/data), or a directory of clips' },
    {
      name: 'triples',
      kind: 'number',
      value: 'N',
      about: 'held-out subject x background x motion triples (default 120)',
    },
    { name: 'sets', kind: 'text', value: 'LIST', about: `some of ${SETS.join(',')} (default all)` },
    { name: 'no-en', kind: 'switch', value: '', about: 'without English prompts' },
    { name: 'no-zh', kind: 'switch', value: '', about: 'without Chinese prompts' },
    {
      name: 'only',
      kind: 'text',
      value: PARTS.join('|'),
      about: 'one part alone; reconstruction needs a VAE and no more',
    },
    {
      name: 'plain-prompts',
      kind: 'switch',
      value: '',
      about: 'also clips of two dozen plain prompts, to be named by people',
    },
    { name: 'bars', kind: 'text', value: 'FILE', about: 'JSON of numbers by name, in place of the usual bars' },
    { name: 'out', kind: 'text', value: 'DIR', about: 'where report and pictures go (default out/eval)' },
  ],
  async run({ values, words, world }) {
    if (words.length > 0) throw inputError('eval', 'takes flags only', words.join(' '), `--model ${words[0]}`);
    const { data = 'cache/data', triples, sets, only, out, bars, ...others } = values;
    const { 'no-en': noEnglish, 'no-zh': noChinese, 'plain-prompts': plainPrompts, ...sampling } = others;
    if (triples !== undefined && typeof triples !== 'number')
      throw inputError('eval', '--triples must be a number', triples);
    const part = PARTS.find((name) => name === only);
    if (only !== undefined && part === undefined)
      throw inputError('eval', `--only must be one of ${PARTS.join(', ')}`, only);
    const chosen = requestFromFlags(sampling, ['any']);
    const { model = 'mini', seed, frames, steps, guidanceScale, timeShift, device } = chosen;
    const evaluate = isClipFolder(String(data))
      ? (await import('../eval/own-clips.ts')).evaluateOwnClips
      : (await import('../eval/run.ts')).runEvaluation;
    const ownBars = bars === undefined ? undefined : readBars(String(bars));
    const settled = await settleDevice(device ?? 'cpu');
    if (settled.warning !== undefined) world.note(settled.warning);
    const { loadFeatureNetwork, SHIPPED_FEATURES } = await import('../features/load.ts');
    const features = await loadFeatureNetwork(SHIPPED_FEATURES, { device: settled.device });
    const progress = progressFor(world);
    try {
      const { text, files } = await evaluate({
        model,
        data: String(data),
        triples,
        frames,
        seed,
        steps,
        guidanceScale,
        timeShift,
        languages: (['en', 'zh'] as const).filter((language) => !(language === 'en' ? noEnglish : noChinese)),
        sets: sets === undefined ? undefined : (String(sets).split(',') as SetName[]),
        only: part,
        plainPrompts: plainPrompts === true,
        bars: ownBars,
        features,
        out: out === undefined ? undefined : String(out),
        device: settled.device,
        signal: world.signal,
        onProgress: progress.show,
        program: world.program,
      });
      progress.stop();
      world.print(text);
      world.note(`\n${files.join('\n')}`);
      return 0;
    } finally {
      progress.stop();
      await features.close();
    }
  },
};

type Progress = { show(progress: EvaluationProgress): void; stop(): void };

/** A bar a stage on a terminal; elsewhere a line every tenth of a stage. */
function progressFor(world: World): Progress {
  const { terminal: stream } = world;
  if (!stream) return { show: lines(world), stop() {} };
  let bar: SingleBar | undefined;
  let current = '';
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  return {
    show({ stage, done, total }) {
      if (stage !== current || !bar) {
        stop();
        bar = new SingleBar({ format: `{bar} {value}/{total} ${stage}, {eta_formatted} left`, stream, barsize: 30 });
        bar.start(total, done);
        current = stage;
      } else bar.update(done);
      if (done >= total) stop();
    },
    stop,
  };
}

function lines(world: World): (progress: EvaluationProgress) => void {
  let shown = '';
  return ({ stage, done, total }) => {
    const line = `${stage}: ${Math.floor((10 * done) / total) * 10} %`;
    if (line !== shown) world.note(line);
    shown = line;
  };
}
