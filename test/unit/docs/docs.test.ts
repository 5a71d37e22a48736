import { existsSync, readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../../app/config/config.ts'
import { loadRules } from '../../../app/wire/rules.ts'
import { ERROR_CODES } from '../../../core/errors.ts'
import { FORMATS } from '../../../ingest/formats/registry.ts'
import { INGEST_COUNTERS } from '../../../ingest/telemetry.ts'

const root = new URL('../../../', import.meta.url)
const text = (path: string) => readFileSync(new URL(path, root), 'utf8')
const documents = [
  'README.md',
  ...(await readdir(new URL('docs/', root), { recursive: true }))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

describe('the documents', () => {
  it.each(documents)('%s links to files that exist', (path) => {
    const base = new URL(path, root)
    const links = [...text(path).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, link]) => link ?? '')
    expect(links.filter((link) => !existsSync(new URL(link, base)))).toEqual([])
  })

  it.each(documents)('%s names files of the source that exist', (path) => {
    const named = [
      ...text(path).matchAll(
        /`((?:core|ingest|store|detectors|alerts|api|app|dashboards|test|bench|deploy|bin)\/[\w./-]+\.(?:ts|sql|yaml|cjs|sh|xml))`/g,
      ),
    ]
    expect(named.map(([, file]) => file ?? '').filter((file) => !existsSync(new URL(file, root)))).toEqual([])
  })

  it('docs/errors.md lists every code with whether a retry helps, and no other', () => {
    const rows = [...text('docs/errors.md').matchAll(/^\| `(\w+)` \| (yes|no) \| (.+) \|$/gm)]
    expect(
      Object.fromEntries(
        rows.map(([, code, retry, meaning]) => [code, { retryable: retry === 'yes', meaning }]),
      ),
    ).toEqual(ERROR_CODES)
  })

  it('docs/formats.md names every format', () => {
    expect(FORMATS.map(({ name }) => name).filter((name) => !text('docs/formats.md').includes(name))).toEqual(
      [],
    )
  })

  it('docs/detectors.md names every shipped rule', () => {
    const { rules, errors } = loadRules({ folders: [], shipped: true })
    expect(errors).toEqual([])
    expect(rules.map(({ id }) => id).filter((id) => !text('docs/detectors.md').includes(id))).toEqual([])
  })

  it('docs/operations.md shows a configuration that parses, and names every counter of the ingest', () => {
    const [, yaml = ''] = /```yaml\n([\s\S]*?)```/.exec(text('docs/operations.md')) ?? []
    expect(Object.keys(parseConfig(yaml, 'docs/operations.md'))).toContain('receivers')
    const counters = Object.keys(INGEST_COUNTERS).map((name) => `gatewatch_ingest_${name}_total`)
    expect(counters.filter((name) => !text('docs/operations.md').includes(name))).toEqual([])
  })
})
