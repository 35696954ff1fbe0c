/**
 * Which clips of emoji world a training bucket draws, as a schema. Knows the names; what they do to a scene is sample.ts's and
 * clips.ts's.
 */
import * as z from 'zod';
import { MOTIONS } from './motion.ts';

const share = z.number().min(0).max(1);

export const sceneChoice = z
  .strictObject({
    /** Shares of gradients, sceneries, camera moves over sceneries, two subjects, and slow or fast motions. */
    mix: z
      .strictObject({ gradients: share, sceneries: share, cameras: share, pairs: share, speeds: share })
      .partial()
      .optional(),
    /** Only these motions; all of them unless told. */
    motions: z.array(z.enum(MOTIONS)).min(1).optional(),
    /** Filtered: subjects that stay inside the picture only. */
    inside: z.boolean().default(false),
    /** Subjects start at the beginning of their animation, their paths in the picture's middle on a grid of 16 units. */
    centred: z.boolean().default(false),
    /** Every pair of subject and motion equally often. */
    balanced: z.boolean().default(false),
  })
  .prefault({});

export type SceneChoice = z.output<typeof sceneChoice>;
