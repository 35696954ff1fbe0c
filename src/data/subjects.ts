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
  ['airplane', '2708-fe0f', ANIMATED_EMOJI_4, 'airplane,plane', '飞机', '架'],
  ['apple', '1f34e', ANIMATED_EMOJI_1, 'red apple,apple', '红苹果,苹果', '个'],
  ['balloon', '1f388', ANIMATED_EMOJI_1, 'balloon,red balloon', '气球,红气球', '个'],
  ['ball', '26bd', ANIMATED_EMOJI_4, 'ball,soccer ball,football', '足球,球', '个'],
  ['banana', '1f34c', ANIMATED_EMOJI_1, 'banana,yellow banana', '香蕉', '根'],
  ['basketball', '1f3c0', ANIMATED_EMOJI_1, 'basketball,orange ball', '篮球', '个'],
  ['bear', '1f43b', ANIMATED_EMOJI_1, 'bear,brown bear', '熊,棕熊', '只'],
  ['bee', '1f41d', ANIMATED_EMOJI_1, 'bee,honeybee', '蜜蜂', '只'],
  ['bird', '1f426', ANIMATED_EMOJI_1, 'bird,red bird', '鸟,红鸟', '只'],
  ['boat', '26f5', ANIMATED_EMOJI_4, 'sailboat,boat', '帆船,小船', '艘'],
  ['burger', '1f354', ANIMATED_EMOJI_1, 'burger,hamburger', '汉堡', '个'],
  ['bus', '1f68c', ANIMATED_EMOJI_3, 'bus', '公交车,巴士', '辆'],
  ['butterfly', '1f98b', ANIMATED_EMOJI_3, 'butterfly', '蝴蝶', '只'],
  ['cactus', '1f335', ANIMATED_EMOJI_1, 'cactus,green cactus', '仙人掌', '棵'],
  ['cake', '1f382', ANIMATED_EMOJI_1, 'cake,birthday cake', '蛋糕,生日蛋糕', '个'],
  ['carrot', '1f955', ANIMATED_EMOJI_3, 'carrot', '胡萝卜', '根'],
  ['car', '1f697', ANIMATED_EMOJI_3, 'car,red car', '汽车,红汽车', '辆'],
  ['cat', '1f431', ANIMATED_EMOJI_1, 'cat,orange cat', '猫,小猫', '只'],
  ['cherries', '1f352', ANIMATED_EMOJI_1, 'cherry,red cherry', '樱桃', '颗'],
  ['chick', '1f424', ANIMATED_EMOJI_1, 'chick,yellow chick', '小鸡', '只'],
  ['cloud', '2601-fe0f', ANIMATED_EMOJI_4, 'cloud,white cloud', '云,白云', '朵'],
  ['cookie', '1f36a', ANIMATED_EMOJI_1, 'cookie', '饼干', '块'],
  ['cow', '1f42e', ANIMATED_EMOJI_1, 'cow', '奶牛,牛', '头'],
  ['crab', '1f980', ANIMATED_EMOJI_3, 'crab,red crab', '螃蟹', '只'],
  ['crown', '1f451', ANIMATED_EMOJI_1, 'crown,golden crown', '皇冠,王冠', '顶'],
  ['dinosaur', '1f996', ANIMATED_EMOJI_3, 'dinosaur,t-rex', '恐龙,霸王龙', '只'],
  ['dog', '1f436', ANIMATED_EMOJI_1, 'dog,brown dog', '狗,小狗', '只'],
  ['dolphin', '1f42c', ANIMATED_EMOJI_1, 'dolphin', '海豚', '只', 0],
  ['donut', '1f369', ANIMATED_EMOJI_1, 'donut,doughnut', '甜甜圈', '个'],
  ['duck', '1f986', ANIMATED_EMOJI_3, 'duck', '鸭子', '只'],
  ['elephant', '1f418', ANIMATED_EMOJI_1, 'elephant', '大象', '头'],
  ['fish', '1f41f', ANIMATED_EMOJI_1, 'fish,blue fish', '鱼,蓝鱼', '条'],
  ['flamingo', '1f9a9', ANIMATED_EMOJI_4, 'flamingo,pink flamingo', '火烈鸟', '只'],
  ['fox', '1f98a', ANIMATED_EMOJI_3, 'fox', '狐狸', '只'],
  ['frog', '1f438', ANIMATED_EMOJI_1, 'frog,green frog', '青蛙', '只'],
  ['gift', '1f381', ANIMATED_EMOJI_1, 'gift,present', '礼物,礼盒', '份'],
  ['grapes', '1f347', ANIMATED_EMOJI_1, 'bunch of grapes,purple grape', '葡萄', '串'],
  ['guitar', '1f3b8', ANIMATED_EMOJI_1, 'guitar', '吉他', '把'],
  ['heart', '2764-fe0f', ANIMATED_EMOJI_4, 'heart,red heart', '爱心,红心', '颗', 0],
  ['helicopter', '1f681', ANIMATED_EMOJI_3, 'helicopter', '直升机', '架'],
  ['house', '1f3e0', ANIMATED_EMOJI_1, 'house', '房子', '座'],
  ['icecream', '1f366', ANIMATED_EMOJI_1, 'ice cream,ice cream cone', '冰淇淋', '个'],
  ['koala', '1f428', ANIMATED_EMOJI_1, 'koala', '考拉', '只'],
  ['lemon', '1f34b', ANIMATED_EMOJI_1, 'lemon', '柠檬', '个'],
  ['lion', '1f981', ANIMATED_EMOJI_3, 'lion', '狮子', '只'],
  ['monkey', '1f435', ANIMATED_EMOJI_1, 'monkey', '猴子', '只'],
  ['moon', '1f319', ANIMATED_EMOJI_1, 'moon,crescent moon', '月亮,弯月', '轮'],
  ['mouse', '1f42d', ANIMATED_EMOJI_1, 'mouse,gray mouse', '老鼠', '只'],
  ['mushroom', '1f344', ANIMATED_EMOJI_1, 'mushroom,red mushroom', '蘑菇,红蘑菇', '个'],
  ['orange', '1f34a', ANIMATED_EMOJI_1, 'orange,tangerine', '橘子,橙子', '个'],
  ['owl', '1f989', ANIMATED_EMOJI_3, 'owl', '猫头鹰', '只'],
  ['panda', '1f43c', ANIMATED_EMOJI_1, 'panda', '熊猫', '只'],
  ['penguin', '1f427', ANIMATED_EMOJI_1, 'penguin', '企鹅', '只'],
  ['pig', '1f437', ANIMATED_EMOJI_1, 'pig,pink pig', '猪,小猪', '头'],
  ['pineapple', '1f34d', ANIMATED_EMOJI_1, 'pineapple', '菠萝', '个'],
  ['pizza', '1f355', ANIMATED_EMOJI_1, 'pizza,slice of pizza', '披萨', '块'],
  ['planet', '1fa90', ANIMATED_EMOJI_4, 'planet,ringed planet', '行星', '颗'],
  ['rainbow', '1f308', ANIMATED_EMOJI_1, 'rainbow', '彩虹', '道'],
  ['rocket', '1f680', ANIMATED_EMOJI_3, 'rocket', '火箭', '枚'],
  ['rose', '1f339', ANIMATED_EMOJI_1, 'rose,red rose', '玫瑰', '朵'],
  ['shark', '1f988', ANIMATED_EMOJI_3, 'shark', '鲨鱼', '条'],
  ['snail', '1f40c', ANIMATED_EMOJI_1, 'snail', '蜗牛', '只'],
  ['star', '2b50', ANIMATED_EMOJI_4, 'star,yellow star', '星星,黄星星', '颗', 0],
  ['sunflower', '1f33b', ANIMATED_EMOJI_1, 'sunflower', '向日葵', '朵'],
  ['sun', '1f31e', ANIMATED_EMOJI_1, 'sun,smiling sun', '太阳', '个'],
  ['taxi', '1f695', ANIMATED_EMOJI_3, 'taxi,yellow taxi', '出租车', '辆'],
  ['teddy', '1f9f8', ANIMATED_EMOJI_4, 'teddy bear,teddy', '泰迪熊,玩具熊', '只'],
  ['tent', '26fa', ANIMATED_EMOJI_4, 'tent', '帐篷', '顶'],
  ['tiger', '1f42f', ANIMATED_EMOJI_1, 'tiger', '老虎', '只'],
  ['train', '1f682', ANIMATED_EMOJI_3, 'train,locomotive', '火车', '列'],
  ['tree', '1f333', ANIMATED_EMOJI_1, 'tree,green tree', '大树,树', '棵'],
  ['trophy', '1f3c6', ANIMATED_EMOJI_1, 'trophy,golden trophy', '奖杯', '座'],
  ['tulip', '1f337', ANIMATED_EMOJI_1, 'tulip,pink tulip', '郁金香', '朵'],
  ['turtle', '1f422', ANIMATED_EMOJI_1, 'turtle,green turtle', '乌龟', '只'],
  ['ufo', '1f6f8', ANIMATED_EMOJI_3, 'flying saucer,ufo', '飞碟', '个'],
  ['umbrella', '2602-fe0f', ANIMATED_EMOJI_4, 'umbrella', '雨伞,伞', '把'],
  ['unicorn', '1f984', ANIMATED_EMOJI_3, 'unicorn', '独角兽', '只'],
  ['volcano', '1f30b', ANIMATED_EMOJI_1, 'volcano', '火山', '座'],
  ['watermelon', '1f349', ANIMATED_EMOJI_1, 'watermelon', '西瓜', '块'],
  ['wolf', '1f43a', ANIMATED_EMOJI_1, 'wolf,gray wolf', '狼', '只', 0],
];

const UNSEEN: readonly Row[] = [
  ['carousel', '1f3a0', ANIMATED_EMOJI_1, 'carousel horse', '旋转木马', '匹'],
  ['drum', '1f941', ANIMATED_EMOJI_3, 'drum', '鼓', '个'],
  ['hamster', '1f439', ANIMATED_EMOJI_1, 'hamster', '仓鼠', '只'],
  ['ladybug', '1f41e', ANIMATED_EMOJI_1, 'ladybug', '瓢虫', '只'],
  ['octopus', '1f419', ANIMATED_EMOJI_1, 'octopus', '章鱼', '只'],
  ['pumpkin', '1f383', ANIMATED_EMOJI_1, 'pumpkin', '南瓜', '个'],
  ['rabbit', '1f430', ANIMATED_EMOJI_1, 'rabbit', '兔子', '只'],
  ['raccoon', '1f99d', ANIMATED_EMOJI_3, 'raccoon', '浣熊', '只'],
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
