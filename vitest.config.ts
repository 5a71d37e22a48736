import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { LongFilesFirst } from './test/helpers/long-files-first.ts'
import { PATIENCE_MS, TEST_LIMIT_MS } from './test/helpers/patience.ts'

// chDB crashes in worker threads (one engine a process), so every project runs in forks.
const project = (name: string, include: string[], isolate = true) => ({
  test: {
    name,
    include,
    pool: 'forks' as const,
    isolate,
    testTimeout: TEST_LIMIT_MS,
    hookTimeout: TEST_LIMIT_MS,
    expect: { poll: { timeout: PATIENCE_MS, interval: 25 } },
    env: {
      // Types are stripped and code is compiled once, not in each of the many processes that tests start.
      NODE_COMPILE_CACHE: fileURLToPath(new URL('node_modules/.cache/compiled', import.meta.url)),
    },
  },
})

export default defineConfig({
  test: {
    // One more than there are cores: integration tests wait about a third of their time.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongFilesFirst },
    projects: [
      // Unit tests keep nothing between files, so a process may run many of them.
      project(
        'unit',
        ['test/unit/**/*.test.ts', 'test/scenarios/**/*.test.ts', 'test/architecture.test.ts'],
        false,
      ),
      project('integration', ['test/integration/**/*.test.ts']),
      project('e2e', ['test/e2e/**/*.test.ts']),
    ],
  },
})
