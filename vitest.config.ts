/** How the tests run: forked processes (native sessions do not share one well), two at a time, results also as JSON. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Tests leave the user's cache alone; those about caches name their own.
    env: { STEP_VIDEO_CACHE: 'off' },
    reporters: ['default', 'json'],
    outputFile: { json: 'out/test-results.json' },
    // Generous, since a busy machine is not a broken program.
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
