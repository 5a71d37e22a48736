import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { breachesOf, FOLDERS } from './helpers/architecture/house-rules.ts'
import { parseSource, readSources, type SourceFile } from './helpers/architecture/source-graph.ts'
import { breachesOfTests } from './helpers/architecture/test-rules.ts'

const REPOSITORY = fileURLToPath(new URL('../', import.meta.url))

describe('the house', () => {
  const files = readSources(REPOSITORY, FOLDERS)

  it('keeps its rules', () => {
    expect(breachesOf(files)).toEqual([])
  })

  it('was read: the rules are not kept by looking at nothing', () => {
    const paths = files.map((file) => file.path)
    for (const expected of ['core/audit-event.ts', 'store/clickhouse.ts', 'ingest/record.ts']) {
      expect(paths).toContain(expected)
    }
    const client = files.find((file) => file.path === 'store/clickhouse.ts')
    expect(client?.packages).toContain('@clickhouse/client')
    expect(client?.imports).toContain('core/errors.ts')
  })
})

describe('the tests', () => {
  const files = readdirSync(join(REPOSITORY, 'test'), { recursive: true, encoding: 'utf8' })
    // Not this file, which shows what is caught.
    .filter((file) => file.endsWith('.test.ts') && file !== 'architecture.test.ts')
    .map((file) => ({
      path: `test/${file}`,
      text: readFileSync(join(REPOSITORY, 'test', file), 'utf8'),
    }))

  it('depend neither on the speed of the machine nor on each other', () => {
    expect(files.length).toBeGreaterThan(100)
    expect(breachesOfTests(files)).toEqual([])
  })

  it.each([
    ['await expect.poll(() => rows, { timeout: 5000 }).toBe(2)', /time limit/],
    ["it('x', async () => {\n}, 60_000)", /time limit/],
    ["it.each(KINDS)(\n  'x',\n  async () => {},\n  90_000,\n)", /time limit/],
    ['expect(performance.now() - since).toBeLessThan(6_000)', /clock/],
    ["vi.mock('node:fs')", /mocks a module/],
  ])('are caught with %j', (text, breach) => {
    expect(breachesOfTests([{ path: 'test/unit/a.test.ts', text }])).toEqual([expect.stringMatching(breach)])
  })
})

describe('the reader of sources', () => {
  it('sees every way to import', () => {
    const file = parseSource(
      `import a from './a.ts'
       import type { B } from './b.ts'
       import './c.ts'
       export { d } from './d.ts'
       export type { E } from './e.ts'
       const f = await import('./f.ts')
       let g: import('./g.ts').G
       import { readFile } from 'node:fs/promises'
       // import './commented.ts'
       const text = "import './quoted.ts'"`,
      'core/x.ts',
    )
    expect(file.imports.toSorted()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => `./${name}.ts`))
    expect(file.packages).toEqual(['node:fs/promises'])
  })

  it('sees the environment and the console, and not words about them', () => {
    const uses = (source: string) => {
      const { usesConsole, usesProcessEnv } = parseSource(source, 'core/x.ts')
      return [usesConsole, usesProcessEnv]
    }
    expect(uses('console.log(1)')).toEqual([true, false])
    expect(uses("process['env']['HOME']")).toEqual([false, true])
    expect(uses('const { A } = process.env')).toEqual([false, true])
    expect(uses("// console.log(process.env)\nconst console = 'process.env'")).toEqual([false, false])
  })
})

describe('the rules', () => {
  const file = (path: string, of: Partial<SourceFile> = {}): SourceFile => ({
    path,
    imports: [],
    packages: [],
    usesConsole: false,
    usesProcessEnv: false,
    ...of,
  })

  it('let the directions of the house pass', () => {
    expect(
      breachesOf([
        file('core/a.ts', { packages: ['node:crypto', 'typebox'] }),
        file('store/clickhouse.ts', { imports: ['core/a.ts'], packages: ['@clickhouse/client'] }),
        file('ingest/sources/kafka.ts', { imports: ['core/a.ts'], packages: ['kafkajs', 'node:fs'] }),
        file('app/wire.ts', { imports: ['core/a.ts', 'store/clickhouse.ts', 'ingest/sources/kafka.ts'] }),
        file('app/config/config.ts', { usesProcessEnv: true }),
        file('app/cli/output.ts', { usesConsole: true }),
        file('dashboards/web/src/main.ts', { imports: ['dashboards/web/src/state.ts'] }),
        file('dashboards/web/src/state.ts'),
      ]),
    ).toEqual([])
  })

  const breach: readonly [string, SourceFile[], RegExp][] = [
    ['core importing the store', [file('core/a.ts', { imports: ['store/b.ts'] })], /core may import nothing/],
    [
      'the store importing ingest',
      [file('store/a.ts', { imports: ['ingest/b.ts'] })],
      /store may import core/,
    ],
    [
      'the middle importing app',
      [file('api/a.ts', { imports: ['app/config/config.ts'] })],
      /api may import core/,
    ],
    ['app importing the browser', [file('app/a.ts', { imports: ['dashboards/web/b.ts'] })], /app may import/],
    [
      'the browser importing core',
      [file('dashboards/web/a.ts', { imports: ['core/b.ts'] })],
      /may import nothing/,
    ],
    [
      'code importing tests',
      [file('api/a.ts', { imports: ['test/helpers/events.ts'] })],
      /api may import core/,
    ],
    ['core touching files', [file('core/a.ts', { packages: ['node:fs/promises'] })], /no I\/O/],
    ['core touching the network', [file('core/a.ts', { packages: ['node:http'] })], /no I\/O/],
    [
      'a second place of the client',
      [file('api/a.ts', { packages: ['@clickhouse/client'] })],
      /another file owns/,
    ],
    ['a part of a client', [file('store/a.ts', { packages: ['chdb/connection'] })], /another file owns/],
    [
      'two owners',
      ['kafka', 'kafka-producer'].map((name) => file(`ingest/sources/${name}.ts`, { packages: ['kafkajs'] })),
      /kafkajs is imported by .* and/,
    ],
    ['the environment', [file('ingest/a.ts', { usesProcessEnv: true })], /process\.env/],
    ['the console', [file('app/wire.ts', { usesConsole: true })], /console/],
    ['a vague file', [file('core/utils.ts')], /says nothing/],
    ['a vague folder', [file('api/helpers/a.ts')], /says nothing/],
    [
      'a cycle of files',
      [file('api/a.ts', { imports: ['api/b.ts'] }), file('api/b.ts', { imports: ['api/a.ts'] })],
      /cycle of files: api\/a\.ts → api\/b\.ts → api\/a\.ts/,
    ],
    [
      'a cycle of folders',
      [
        file('api/x/a.ts', { imports: ['api/y/b.ts'] }),
        file('api/y/b.ts'),
        file('api/y/c.ts', { imports: ['api/x/d.ts'] }),
        file('api/x/d.ts'),
      ],
      /cycle of folders: api\/x → api\/y → api\/x/,
    ],
  ]
  it.each(breach)('catch %s', (_, files, line) => {
    expect(breachesOf(files)).toEqual(expect.arrayContaining([expect.stringMatching(line)]))
  })
})
