/**
 * The npm packages that emoji world is made of: pinned versions and the sha512 the registry published for them.
 * Knows what to fetch; does not know how (`fetch-package.ts`) nor what is taken out of them (`build.ts`).
 */

/** One pinned package. `integrity` is the registry's `dist.integrity` (`sha512-` + base64 of the tarball's hash). */
export type PinnedPackage = {
  readonly name: string;
  readonly version: string;
  readonly integrity: string;
  readonly licence: string;
};

/** Animated 3-D emoji, 256 × 256 with alpha, 24 frames/s; part 2 of the four holds none of our subjects. */
export const ANIMATED_EMOJI_1: PinnedPackage = {
  name: '@lobehub/fluent-emoji-anim-1',
  version: '1.0.0',
  integrity: 'sha512-/4m31vAuZEQ4aUJ5pxcOU5PVkuJya55GRxUZL7+zgLlxZXpzzE8jPqpDyhZICE3n47nS/Y9M5/vLdizi8201QA==',
  licence: 'MIT',
};

export const ANIMATED_EMOJI_3: PinnedPackage = {
  name: '@lobehub/fluent-emoji-anim-3',
  version: '1.0.0',
  integrity: 'sha512-UzRSUDMjdfdt9vER5bhjHkPqgc3EEgfGtYs6ndvizOTvQOxYQ57ow2RTkWSDZxwW30X4EYBi2eWTS7CXDDoFsg==',
  licence: 'MIT',
};

export const ANIMATED_EMOJI_4: PinnedPackage = {
  name: '@lobehub/fluent-emoji-anim-4',
  version: '1.0.0',
  integrity: 'sha512-IIkl5ztSd1HrzvIDt/uGsFoC1WODXRdYq5uROrnkyqi9DbToEcJ1nlY86PnoUXeFS9nBCnHfiYk3ouSEGThFmA==',
  licence: 'MIT',
};

/** Names and search words of emoji in many languages. */
export const EMOJI_NAMES: PinnedPackage = {
  name: 'emojibase-data',
  version: '17.0.0',
  integrity: 'sha512-Yvgb5AWoHViHV/gq1qr5ZAarcBip+B27/ZLRsUJkbgAEaLlZ/fof9g882LTpmEpyhBNEC0m2SEmItljHsTygjA==',
  licence: 'MIT',
};
