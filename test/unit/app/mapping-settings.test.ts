import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../../app/config/config.ts'
import { GatewatchError } from '../../../core/errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'gatewatch-mappings-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const load = (text: string) => loadConfig({ config: file('gatewatch.yaml', text) }, {})
const lineOf = (text: string): string => {
  try {
    load(text)
  } catch (error) {
    if (error instanceof GatewatchError) return error.toLine()
  }
  return ''
}

const ZZ = 'name: zz\nfields: { gen_ai.tool.name: t }\n'

describe('mappings in the settings', () => {
  it('are files and folders, and their formats can be named', () => {
    mkdirSync(join(folder, 'more'), { recursive: true })
    file('more/b.yml', ZZ.replace('zz', 'b'))
    file('more/a.yaml', ZZ.replace('zz', 'a'))
    file('more/notes.txt', 'no mapping')
    const config = load(
      `mappings: [${file('zz.yaml', ZZ)}, ${join(folder, 'more')}]\nfiles: [{ path: x.log, format: zz }]\nkafka: { brokers: ['localhost:9092'], topics: [{ name: t, format: b }] }`,
    )
    expect(config.mappings.map(({ at }) => at.slice(folder.length + 1))).toEqual([
      'zz.yaml',
      'more/a.yaml',
      'more/b.yml',
    ])
    expect(config.formatNames).toEqual(expect.arrayContaining(['zz', 'a', 'b', 'kong', 'native']))
  })

  it('that cannot be used are said with their place, all at once', () => {
    expect(lineOf('listen: {}\nmappings: [nowhere.yaml]')).toMatch(
      /gatewatch\.yaml:2: mappings\.0: nowhere\.yaml cannot be read: .* Check the path/,
    )
    const bad = file('bad.yaml', 'name: bad\nfields: { user.idd: a, outcome: { value: nice } }')
    expect(lineOf(`mappings: [${bad}]`)).toMatch(
      /2 faults in mapping files:\n {2}.*bad\.yaml:2:11: .*\n {2}.*bad\.yaml:2:35: /,
    )
    const native = file('native.yaml', ZZ.replace('zz', 'native'))
    expect(lineOf(`mappings: [${native}]`)).toMatch(
      /native\.yaml: name: is the name of a format that is built in: native/,
    )
    expect(lineOf('files: [{ path: x.log, format: zz }]')).toContain('There is no format "zz".')
  })
})
