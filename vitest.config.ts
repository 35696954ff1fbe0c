/** How the tests run: forked processes (native sessions do not share one well), two at a time, results also as JSON. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    reporters: ['default', 'json'],
    outputFile: { json: 'out/test-results.json' },
    testTimeout: 30_000,
  },
});
