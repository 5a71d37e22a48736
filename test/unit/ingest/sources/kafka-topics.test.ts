import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../../../app/config/config.ts'
import { resolveTopics } from '../../../../ingest/sources/kafka-topics.ts'

describe('topics to read', () => {
  it('are those named, then those that the first pattern matches; internal ones only by name', () => {
    const wanted = [
      { pattern: '^mcp\\.', format: 'native' },
      { pattern: 'audit', tenant: 'b' },
      { name: 'mcp.special', tenant: 'c' },
      { name: '__audit' },
      { name: 'gone' },
    ]
    const there = ['mcp.audit', 'mcp.special', 'audit-log', '__audit', '__mcp.audit', 'other']
    const { topics, missing } = resolveTopics(wanted, there)
    expect([...topics.values()]).toEqual([
      { name: 'mcp.special', tenant: 'c' },
      { name: '__audit' },
      { name: 'mcp.audit', format: 'native' },
      { name: 'audit-log', tenant: 'b' },
    ])
    expect(missing).toEqual(['gone'])
  })
})

describe('kafka in gatewatch.yaml', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatewatch-config-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const load = (topics: string) => {
    const path = join(folder, 'gatewatch.yaml')
    writeFileSync(path, `kafka:\n  brokers: [localhost:9092]\n  refresh_seconds: 5\n  topics: ${topics}\n`)
    return loadConfig({ config: path }, {}).kafka
  }

  it('has topics by name and by pattern', () => {
    expect(load('[{ name: a, format: native }, { pattern: "^mcp\\\\..*", tenant: t }]')).toMatchObject({
      refreshMs: 5_000,
      topics: [
        { name: 'a', format: 'native', tenant: 'default' },
        { pattern: '^mcp\\..*', tenant: 't' },
      ],
    })
  })

  it.each([
    ['[{ format: native }]', 'kafka.topics.0', /either a name or a pattern/],
    ['[{ name: a }, { name: b, pattern: c }]', 'kafka.topics.1', /either a name or a pattern/],
    ['[{ pattern: "(" }]', 'kafka.topics.0.pattern', /not a regular expression/],
  ])('says what is wrong with %s', (topics, field, message) => {
    expect(() => load(topics)).toThrow(
      expect.objectContaining({ code: 'config_invalid', place: expect.objectContaining({ field }) }),
    )
    expect(() => load(topics)).toThrow(message)
  })
})
