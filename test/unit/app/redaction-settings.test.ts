import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig, parseConfig } from '../../../app/config/config.ts'
import { openCredentials } from '../../../app/credentials.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatewatch-settings-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const load = (settings: unknown) => {
  const path = join(folder, 'gatewatch.yaml')
  writeFileSync(path, JSON.stringify(settings))
  return loadConfig({ config: path, data: folder }, {}).redaction
}

describe('redaction in gatewatch.yaml', () => {
  it('hides card numbers and IBANs and keeps arguments unless it says otherwise', () => {
    expect(load({})).toEqual({ personal: ['pan', 'iban'], linkedValuesPerHour: 2000, tools: [] })
    const tools = [{ server: 'vault', arguments: 'drop' }]
    expect(load({ redaction: { personal: ['email'], linked_values_per_hour: 9, tools } })).toEqual({
      ...{ personal: ['email'], linkedValuesPerHour: 9, tools },
    })
    expect(() => load({ redaction: { tools: [{ server: 'vault' }] } })).toThrow(/arguments/)
    expect(() => load({ redaction: { personal: ['shoe-size'] } })).toThrow(/pan, iban, email/)
  })

  it('is what docs/redaction.md shows', () => {
    const text = readFileSync(new URL('../../../docs/redaction.md', import.meta.url), 'utf8')
    const [, yaml = ''] = /```yaml\n([\s\S]*?)```/.exec(text) ?? []
    expect(parseConfig(yaml, 'docs/redaction.md').redaction?.tools).toHaveLength(3)
  })
})

describe('the keys of tokens', () => {
  const credentials = () => join(folder, 'credentials')

  it('are one, made on the first start, until somebody adds one; the newest is the first', () => {
    const [first, ...none] = openCredentials(credentials()).redactionKeys
    expect(first).toMatchObject({ id: 'k1' })
    expect(none).toEqual([])
    writeFileSync(join(credentials(), 'redaction-key-2'), `${'ab'.repeat(32)}\n`)
    writeFileSync(join(credentials(), 'redaction-key-10'), 'cd'.repeat(32))
    const opened = openCredentials(credentials())
    expect(opened.redactionKeys.map(({ id }) => id)).toEqual(['k10', 'k2', 'k1'])
    expect(opened.redactionKeys[2]?.secret).toEqual(first.secret)
    expect(opened.redactionKey).toEqual(first.secret)
  })

  it('must be long enough', () => {
    openCredentials(credentials())
    writeFileSync(join(credentials(), 'redaction-key-2'), 'abcd')
    expect(() => openCredentials(credentials())).toThrow(/64 hexadecimal digits/)
  })
})
