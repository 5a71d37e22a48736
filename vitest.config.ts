import { defineConfig } from 'vitest/config'

// chDB crashes in worker threads (one engine a process), so every project runs in forks.
const project = (name: string, include: string[], timeoutMs: number) => ({
  test: { name, include, pool: 'forks' as const, testTimeout: timeoutMs, hookTimeout: timeoutMs },
})

export default defineConfig({
  test: {
    projects: [
      project(
        'unit',
        ['test/unit/**/*.test.ts', 'test/scenarios/**/*.test.ts', 'test/architecture.test.ts'],
        20_000,
      ),
      project('integration', ['test/integration/**/*.test.ts'], 120_000),
      project('e2e', ['test/e2e/**/*.test.ts'], 240_000),
    ],
  },
})
