/**
 * The subjects of emoji world: which emoji, what people call them in English and Chinese, and whether we train on them.
 * Big, simple shapes of clear colour that still read at 128 × 128 after heavy compression. Knows no pixels.
 */
import { ANIMATED_EMOJI_1, ANIMATED_EMOJI_3, ANIMATED_EMOJI_4, type PinnedPackage } from './packages.ts';

/** `trained` subjects appear in training clips; `unseen` ones only measure how the VAE treats what it never saw. */
export type SubjectRole = 'trained' | 'unseen';

/**
 * What a subject is called. `english[0]` and `chinese[0]` are the usual names, the rest synonyms; an English name comes
 * without article. `measure` is the Chinese measure word after 一.
 */
export type SubjectNames = {
  readonly english: readonly string[];
  readonly chinese: readonly string[];
  readonly measure: string;
};

/** One emoji: `id` names it in scenes and files, `codepoint` is its file name in `source`. */
export type SubjectEntry = SubjectNames & {
  readonly id: string;
  readonly codepoint: string;
  readonly role: SubjectRole;
  readonly source: PinnedPackage;
  /** Only this page of the animation is used: the rest swells or hops so much that it would read as a motion of the scene. */
  readonly onlyPage?: number;
};

type Row = readonly [
  id: string,
  codepoint: string,
  source: PinnedPackage,
  english: string,
  chinese: string,
  measure: string,
  onlyPage?: number,
];

// One line per subject; names are separated by commas.
const TRAINED: readonly Row[] = [
  ['apple', '1f34e', ANIMATED_EMOJI_1, 'red apple,apple', '红苹果,苹果', '个'],
  ['ball', '26bd', ANIMATED_EMOJI_4, 'ball,soccer ball,football', '足球,球', '个'],
  ['cactus', '1f335', ANIMATED_EMOJI_1, 'cactus,green cactus', '仙人掌', '棵'],
  ['car', '1f697', ANIMATED_EMOJI_3, 'car,red car', '汽车,红汽车', '辆'],
  ['cat', '1f431', ANIMATED_EMOJI_1, 'cat,orange cat', '猫,小猫', '只'],
  ['dog', '1f436', ANIMATED_EMOJI_1, 'dog,brown dog', '狗,小狗', '只'],
  ['fish', '1f41f', ANIMATED_EMOJI_1, 'fish,blue fish', '鱼,蓝鱼', '条'],
  ['frog', '1f438', ANIMATED_EMOJI_1, 'frog,green frog', '青蛙', '只'],
  ['heart', '2764-fe0f', ANIMATED_EMOJI_4, 'heart,red heart', '爱心,红心', '颗', 0],
  ['mushroom', '1f344', ANIMATED_EMOJI_1, 'mushroom,red mushroom', '蘑菇,红蘑菇', '个'],
  ['panda', '1f43c', ANIMATED_EMOJI_1, 'panda', '熊猫', '只'],
  ['penguin', '1f427', ANIMATED_EMOJI_1, 'penguin', '企鹅', '只'],
  ['pig', '1f437', ANIMATED_EMOJI_1, 'pig,pink pig', '猪,小猪', '头'],
  ['rocket', '1f680', ANIMATED_EMOJI_3, 'rocket', '火箭', '枚'],
  ['star', '2b50', ANIMATED_EMOJI_4, 'star,yellow star', '星星,黄星星', '颗', 0],
  ['sun', '1f31e', ANIMATED_EMOJI_1, 'sun,smiling sun', '太阳', '个'],
];

const UNSEEN: readonly Row[] = [
  ['ladybug', '1f41e', ANIMATED_EMOJI_1, 'ladybug', '瓢虫', '只'],
  ['octopus', '1f419', ANIMATED_EMOJI_1, 'octopus', '章鱼', '只'],
  ['pumpkin', '1f383', ANIMATED_EMOJI_1, 'pumpkin', '南瓜', '个'],
  ['rabbit', '1f430', ANIMATED_EMOJI_1, 'rabbit', '兔子', '只'],
  ['robot', '1f916', ANIMATED_EMOJI_3, 'robot', '机器人', '个'],
  ['snowman', '26c4', ANIMATED_EMOJI_4, 'snowman', '雪人', '个'],
  ['strawberry', '1f353', ANIMATED_EMOJI_1, 'strawberry', '草莓', '颗'],
  ['whale', '1f433', ANIMATED_EMOJI_1, 'whale', '鲸鱼', '头'],
];

const entry =
  (role: SubjectRole) =>
  ([id, codepoint, source, english, chinese, measure, onlyPage]: Row): SubjectEntry => ({
    id,
    codepoint,
    role,
    source,
    english: english.split(','),
    chinese: chinese.split(','),
    measure,
    ...(onlyPage === undefined ? {} : { onlyPage }),
  });

/** Every subject that `buildEmojiWorld` makes, trained ones first, each group by id. */
export const SUBJECTS: readonly SubjectEntry[] = [...TRAINED.map(entry('trained')), ...UNSEEN.map(entry('unseen'))];
