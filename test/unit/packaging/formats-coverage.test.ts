import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { FORMATS } from '../../../ingest/formats/registry.ts'
import { measureCoverage, withCoverage } from '../../../packaging/formats-coverage.ts'

describe('the coverage of formats', () => {
  const document = readFileSync(new URL('../../../docs/formats.md', import.meta.url), 'utf8')

  it('is what docs/formats.md says (`node packaging/formats-coverage.ts` writes it)', () => {
    expect(withCoverage(document)).toBe(document)
  })

  it('is measured on samples of every format that reports calls', () => {
    const measured = measureCoverage()
    const without = FORMATS.map(({ name }) => name).filter((name) => !measured.has(name))
    expect(without).toEqual(['metamcp'])
    for (const [name, { filled }] of measured)
      expect([name, filled.has('mcp.method.name') || filled.has('gen_ai.tool.name')]).toEqual([name, true])
  })

  it('says what gateways never report for each that it names', () => {
    const [, never = ''] = document.split('## What the gateways never report')
    expect(never).toContain('refused logins')
  })
})
