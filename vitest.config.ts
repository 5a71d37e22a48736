import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { LongFilesFirst } from './test/helpers/long-files-first.ts'
import { PATIENCE_MS, TEST_LIMIT_MS } from './test/helpers/patience.ts'

// chDB crashes in worker threads (one engine a process), so every project runs in forks.
const project = (
  name: string,
  include: string[],
  options: {
    isolate?: boolean
    env?: Record<string, string>
    experimental?: { viteModuleRunner: boolean }
  } = {},
) => ({
  test: {
    name,
    include,
    pool: 'forks' as const,
    isolate: options.isolate ?? true,
    ...(options.experimental ? { experimental: options.experimental } : {}),
    testTimeout: TEST_LIMIT_MS,
    hookTimeout: TEST_LIMIT_MS,
    expect: { poll: { timeout: PATIENCE_MS, interval: 50 } },
    env: {
      // Types are stripped and code is compiled once, not in each of the many processes that tests start.
      NODE_COMPILE_CACHE: fileURLToPath(new URL('node_modules/.cache/compiled', import.meta.url)),
      ...options.env,
    },
  },
})

const OF_PROCESSES = {
  // A stop within ten seconds is a promise about a machine that is not ten times too busy.
  env: { GATEWATCH_STOP_SECONDS: String(PATIENCE_MS / 1000) },
  // Each file has a process of its own, into which Node itself loads the code, as it does for users: two seconds of a
  // processor less a file than with Vite's loader. Files that mock modules need Vite's; these do not.
  experimental: { viteModuleRunner: false },
}

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
        { isolate: false },
      ),
      project('integration', ['test/integration/**/*.test.ts'], OF_PROCESSES),
      project('e2e', ['test/e2e/**/*.test.ts'], OF_PROCESSES),
      project('attacks', ['test/attacks/*.test.ts'], OF_PROCESSES),
    ],
  },
})
