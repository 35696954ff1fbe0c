/**
 * Chinese captions: word tables and sentence templates.
 * Does not know how often Chinese is chosen, nor how a tokenizer cuts the text; `chineseWords` lists what is best kept whole.
 */
import { backgroundColours, type Colour, isScenery } from './background.ts';
import type { Motion } from './motion.ts';
import type { Random } from './random.ts';
import type { Scene, SizeName } from './scene.ts';
import type { Scenery } from './scenery.ts';
import type { Subject } from './world.ts';

const COLOUR_WORDS: Readonly<Record<Colour, string>> = {
  red: '红色',
  orange: '橙色',
  yellow: '黄色',
  green: '绿色',
  cyan: '青色',
  blue: '蓝色',
  purple: '紫色',
  pink: '粉色',
  brown: '棕色',
  gray: '灰色',
  black: '黑色',
  white: '白色',
  navy: '深蓝色',
  lime: '黄绿色',
};

const SIZE_WORDS: Readonly<Record<SizeName, string>> = { small: '小', medium: '', large: '大' };

/**
 * Each phrase is a list of words, the pieces that should stay whole. None begins like 上下: "背景上下落" must not be cut there.
 */
const MOTION_PHRASES: Readonly<Record<Motion, readonly (readonly string[])[]>> = {
  still: [['静止', '不动'], ['保持', '静止'], ['不动']],
  left: [
    ['向左', '移动'],
    ['往左', '移动'],
    ['向左', '滑动'],
  ],
  right: [
    ['向右', '移动'],
    ['往右', '移动'],
    ['向右', '滑动'],
  ],
  up: [['向上', '移动'], ['上升'], ['往上', '移动']],
  down: [['向下', '移动'], ['下落'], ['往下', '移动']],
  bounce: [['弹跳'], ['跳动'], ['跳跃']],
  grow: [['变大'], ['逐渐', '变大']],
  shrink: [['变小'], ['逐渐', '变小']],
  spin: [['旋转'], ['转动'], ['转圈']],
  circle: [['绕圈', '移动'], ['绕圈']],
  shake: [['左右', '摇晃'], ['摇晃']],
};

const SCENERY_WORDS: Readonly<Record<Scenery, string>> = {
  meadow: '草地',
  night: '星空',
  sea: '大海',
  desert: '沙漠',
  room: '房间',
};

const FIXED_WORDS = ['背景', '正在', '渐变'] as const;

/** One Chinese caption of the scene; advances `random`. */
export function chineseCaption(subject: Subject, scene: Scene, random: Random): string {
  const sized = random.uniform() < { small: 0.6, medium: 0, large: 0.2 }[scene.size];
  const named = sized || random.uniform() < 0.65 ? subject.chinese[0]! : random.pick(subject.chinese);
  const name = sized ? SIZE_WORDS[scene.size] + named : named;
  const something = `一${subject.measure}${name}`;
  const action = random.pick(MOTION_PHRASES[scene.motion]).join('');
  const background = backgroundPhrase(scene.background);
  const draw = random.uniform();
  if (draw < 0.5) return `${something}在${background}上${action}`;
  if (draw < 0.6) return `${something}正在${background}上${action}`;
  if (draw < 0.7) return `${name}在${background}上${action}`;
  if (draw < 0.8) return `${background}上，${something}${action}`;
  if (draw < 0.9) return `${name}，${background}，${action}`;
  return `${something}${action}，背景是${backgroundColour(scene.background)}`;
}

/** The plainest Chinese caption: usual name, first motion phrase, no size. */
export function plainChinese(subject: Subject, scene: Pick<Scene, 'background' | 'motion'>): string {
  const action = MOTION_PHRASES[scene.motion][0]!.join('');
  return `一${subject.measure}${subject.chinese[0]!}在${backgroundPhrase(scene.background)}上${action}`;
}

/** Words of more than one character that `chineseCaption` uses for these subjects; a tokenizer does well to keep them whole. */
export function chineseWordsOf(subjects: readonly Subject[]): string[] {
  const words = [
    ...FIXED_WORDS,
    ...Object.values(COLOUR_WORDS),
    ...Object.values(MOTION_PHRASES).flat(2),
    ...subjects.flatMap((subject) => subject.chinese),
  ];
  return [...new Set(words.filter((word) => word.length > 1))].sort();
}

/** Single characters that `chineseCaption` uses outside those words. */
export function chineseCharactersOf(subjects: readonly Subject[]): string[] {
  const fixed = ['一', '在', '上', '，', '是', '从', '到', '的', '大', '小'];
  const names = subjects.flatMap((subject) => subject.chinese).filter((name) => name.length === 1);
  return [...new Set([...fixed, ...subjects.map((subject) => subject.measure), ...names])].sort();
}

/** "蓝色背景", or "从蓝色到粉色的渐变背景". */
const backgroundPhrase = (background: string): string => `${backgroundColour(background)}背景`;

function backgroundColour(background: string): string {
  if (isScenery(background)) return SCENERY_WORDS[background];
  const [top, bottom] = backgroundColours(background);
  return top === bottom ? COLOUR_WORDS[top] : `从${COLOUR_WORDS[top]}到${COLOUR_WORDS[bottom]}的渐变`;
}
