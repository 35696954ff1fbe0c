/**
 * What a model can be asked for: the world, narrowed to what its training record lists; everything where there is none.
 * Does not read files.
 */
import { COLOUR_NAMES, type Colour } from '../data/background.ts';
import { CAMERAS, type Camera } from '../data/camera.ts';
import { MOTIONS, type Motion } from '../data/motion.ts';
import { SCENERIES, type Scenery } from '../data/scenery.ts';
import { createWorld, type World } from '../data/world.ts';
import { checkpointError } from '../errors.ts';
import { RECORD_FILE, type TrainingRecord } from '../training-record.ts';

/** `world` holds the trained subjects that the model knows, and all unseen ones. */
export type Knowledge = {
  readonly world: World;
  readonly colours: readonly Colour[];
  readonly sceneries: readonly Scenery[];
  readonly motions: readonly Motion[];
  /** `static` among them. */
  readonly cameras: readonly Camera[];
  readonly pairs: boolean;
  /** Its words are those of the templates that training holds out. */
  readonly paraphrases: boolean;
};

/**
 * The part of `world` that a model with this record knows.
 * @throws checkpoint error when the record lists something that the world does not have.
 */
export function knowledgeOf(world: World, record: TrainingRecord | undefined): Knowledge {
  if (!record)
    return {
      ...{ world, colours: COLOUR_NAMES, sceneries: SCENERIES, motions: MOTIONS, cameras: CAMERAS },
      ...{ pairs: true, paraphrases: true },
    };
  const trained = world.subjects.flatMap(({ id, role }) => (role === 'trained' ? [id] : []));
  const among = <T extends string>(field: string, listed: readonly string[], known: readonly T[]): T[] => {
    const stranger = listed.find((name) => !(known as readonly string[]).includes(name));
    if (stranger !== undefined)
      throw checkpointError('eval', `${RECORD_FILE} must list ${field} of the data: ${known.join(', ')}`, stranger);
    return known.filter((name) => listed.includes(name));
  };
  const subjects = new Set<string>(among('subjects', record.subjects, trained));
  const left = world.subjects.filter(({ id, role }) => role !== 'trained' || subjects.has(id));
  const backgrounds = among('backgrounds', record.backgrounds, [...COLOUR_NAMES, ...SCENERIES]);
  return {
    world: createWorld(left, new Map(left.map(({ id }) => [id, world.sprite(id)]))),
    colours: COLOUR_NAMES.filter((colour) => backgrounds.includes(colour)),
    sceneries: SCENERIES.filter((scenery) => backgrounds.includes(scenery)),
    motions: among('motions', record.motions, MOTIONS),
    cameras: among('cameras', ['static', ...(record.cameras ?? [])], CAMERAS),
    pairs: record.pairs ?? false,
    paraphrases: record.paraphrases ?? false,
  };
}
