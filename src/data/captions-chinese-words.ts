/**
 * Chinese word tables: what colours, sizes, speeds, sceneries, motions, camera moves and places are called. Spaces stand
 * between words, the pieces that a tokenizer should keep whole; captions have none of them.
 *
 * A tokenizer takes the fewest words, so no two neighbours may be cut in another way: none begins like 上下, because
 * "背景上下落" must not be cut there, and none is 升起来, because "背景上升起来" would become 上升.
 */
import type { Colour } from './background.ts';
import type { Camera } from './camera.ts';
import type { Travel } from './captions-facts.ts';
import type { Motion, Speed } from './motion.ts';
import type { Place, SizeName } from './scene.ts';
import type { Scenery } from './scenery.ts';

export const COLOUR_WORDS: Readonly<Record<Colour, readonly string[]>> = {
  red: ['红色'],
  orange: ['橙色', '橘色'],
  yellow: ['黄色'],
  green: ['绿色'],
  cyan: ['青色'],
  blue: ['蓝色'],
  purple: ['紫色'],
  pink: ['粉色', '粉红色'],
  brown: ['棕色', '褐色'],
  gray: ['灰色'],
  black: ['黑色'],
  white: ['白色'],
  navy: ['深蓝色', '藏青色'],
  lime: ['黄绿色', '浅绿色'],
};

/** Before a name, as a clause of its own, and before a name that the first would change ("小熊猫" is another animal). */
export const SIZE_WORDS: Readonly<Record<SizeName, readonly [before: string[], alone: string[], apart: string[]]>> = {
  small: [['小', '很小 的'], ['很小'], ['很小 的', '小小 的']],
  medium: [['中等 大小 的'], ['大小 中等'], ['中等 大小 的']],
  large: [['大', '很大 的'], ['很大'], ['很大 的', '大大 的']],
};

/** Subjects that a plain 小 or 大 makes something else: "小牛" is a calf, and "大海豚" begins with the sea. */
export const SIZE_APART: ReadonlySet<string> = new Set(['panda', 'car', 'cow', 'dolphin']);

export const MOTION_PHRASES: Readonly<Record<Motion, readonly string[]>> = {
  still: ['静止 不动', '保持 静止', '不动', '一动不动'],
  left: ['向左 移动', '往左 移动', '向左 滑动', '朝左 移动'],
  right: ['向右 移动', '往右 移动', '向右 滑动', '朝右 移动'],
  up: ['向上 移动', '上升', '往上 移动', '向上 飘'],
  down: ['向下 移动', '下落', '往下 移动', '掉 下来'],
  bounce: ['弹跳', '跳动', '跳跃', '蹦蹦跳跳'],
  grow: ['变大', '逐渐 变大', '不断 变大'],
  shrink: ['变小', '逐渐 变小', '不断 变小'],
  spin: ['旋转', '转动', '转圈', '原地 旋转'],
  circle: ['绕圈 移动', '绕圈', '沿着 圆圈 移动'],
  shake: ['左右 摇晃', '摇晃', '左右 摇摆', '晃动'],
};

/** Phrases that say of themselves how fast they are. */
export const HAS_ITS_OWN_SPEED = /逐渐|不断/;

export const TRAVEL_VERBS: Readonly<Record<Travel, string>> = { walk: '走', drive: '开', fly: '飞', swim: '游' };

/** Before a verb, and as a clause of its own. */
export const SPEED_WORDS: Readonly<Record<Exclude<Speed, 'normal'>, readonly [before: string[], alone: string[]]>> = {
  slow: [
    ['慢慢', '缓慢 地', '慢慢 地'],
    ['速度 很慢', '速度 缓慢'],
  ],
  fast: [['快速', '快速 地', '飞快 地'], ['速度 很快']],
};

/**
 * Of each scenery: `on` is where a subject is, after 在 or at the start; `bare` is what it is; and both in more words.
 * The first of each is the plainest.
 */
export const SCENERY_WORDS: Readonly<
  Record<Scenery, Readonly<Record<'on' | 'bare' | 'denseOn' | 'denseBare', readonly string[]>>>
> = {
  meadow: {
    on: ['草地 上', '绿色 的 草地 上', '蓝天 下 的 草地 上', '草原 上'],
    bare: ['草地', '绿色 草地', '草原', '草地 和 蓝天'],
    denseOn: ['蓝天 白云 下 的 绿色 草地 上', '明亮 的 蓝天 下 的 草地 上'],
    denseBare: ['蓝天 白云 和 绿色 的 草地', '明亮 的 蓝天 和 一 片 草地'],
  },
  night: {
    on: ['星空 下', '夜空 下', '夜空 中', '布满 星星 的 夜空 下'],
    bare: ['星空', '夜空', '夜晚 的 星空'],
    denseOn: ['布满 星星 的 深蓝色 夜空 下', '夜晚 明亮 的 星空 下'],
    denseBare: ['布满 星星 的 深蓝色 夜空', '夜晚 明亮 的 星空 和 黑色 的 山'],
  },
  sea: {
    on: ['海边', '大海 上', '海面 上', '大海 前面'],
    bare: ['大海', '海洋', '蓝色 的 大海'],
    denseOn: ['明亮 的 天空 下 蓝色 的 海面 上', '蓝天 下 的 大海 上'],
    denseBare: ['蓝色 的 大海 和 明亮 的 天空', '蓝天 下 的 海洋'],
  },
  desert: {
    on: ['沙漠 里', '沙漠 中', '沙丘 上'],
    bare: ['沙漠', '沙丘', '黄色 的 沙漠'],
    denseOn: ['黄色 天空 下 的 沙漠 中', '沙漠 里 棕色 的 沙丘 上'],
    denseBare: ['黄色 天空 下 的 沙漠', '沙漠 里 棕色 的 沙丘'],
  },
  room: {
    on: ['房间 里', '客厅 里', '一 个 房间 里', '客厅 中'],
    bare: ['房间', '客厅', '有 窗户 的 房间'],
    denseOn: ['有 窗户 和 木地板 的 客厅 里', '一 个 明亮 的 房间 里'],
    denseBare: ['有 窗户 和 木地板 的 客厅', '一 个 明亮 的 房间'],
  },
};

export const CAMERA_PHRASES: Readonly<Record<Camera, readonly string[]>> = {
  static: ['镜头 静止 不动', '镜头 固定', '镜头 保持 静止'],
  'pan-left': ['镜头 向左 平移', '镜头 向左 移动', '镜头 往左 移动', '镜头 左移'],
  'pan-right': ['镜头 向右 平移', '镜头 向右 移动', '镜头 往右 移动', '镜头 右移'],
  'zoom-in': ['镜头 推近', '镜头 拉近'],
  'zoom-out': ['镜头 拉远', '镜头 后退'],
};

export const PLACE_WORDS: Readonly<Record<Place, readonly string[]>> = {
  left: ['左边', '左侧'],
  right: ['右边', '右侧'],
  above: ['上方', '上面'],
  below: ['下方', '下面'],
};
