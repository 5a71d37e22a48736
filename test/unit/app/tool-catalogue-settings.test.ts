import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../../../app/config/config.ts'
import { loadToolCatalogue } from '../../../app/wire/pipeline.ts'
import { GatewatchError } from '../../../core/errors.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatewatch-catalogue-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const write = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const load = (...files: string[]) => {
  const settings = write(
    'gatewatch.yaml',
    `tool_catalogue:\n${files.map((file) => `  - ${file}\n`).join('')}`,
  )
  return loadToolCatalogue(loadConfig({ config: settings, data: folder }, {}).toolCatalogue)
}

const faultOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    if (error instanceof GatewatchError) return error.toLine().replaceAll(`${folder}/`, '')
    throw error
  }
  return 'no fault'
}

describe('tool_catalogue in gatewatch.yaml', () => {
  it('is asked before the shipped catalogue, the first file first', () => {
    const first = write('first.yaml', 'rules: [{ tool: get_balance, capability: execute }]')
    const second = write('second.yaml', 'rules: [{ tool: get_*, capability: recon, sensitivity: secret }]')
    const catalogue = load(first, second)
    expect(catalogue.classify({ tool: 'get_balance' })).toEqual({
      capability: 'execute',
      sensitivity: 'secret',
    })
    expect(catalogue.classify({ tool: 'get_x' }).capability).toBe('recon')
    expect(catalogue.classify({ tool: 'delete_x' }).capability).toBe('delete')
  })

  it('names file and entry of a fault', () => {
    expect(faultOf(() => load(join(folder, 'none.yaml')))).toMatch(
      /^gatewatch\.yaml:2: tool_catalogue\.0: none\.yaml cannot be read: /,
    )
    const bad = write('bad.yaml', 'rules: [{ tool: x, capability: read }, { tool: y, capability: fly }]')
    expect(faultOf(() => load(bad))).toMatch(/^bad\.yaml: rules\[1\]\.capability: must be one of /)
  })

  it('may be written as docs/tool-catalogue.md shows it', () => {
    const text = readFileSync(new URL('../../../docs/tool-catalogue.md', import.meta.url), 'utf8')
    const [settings = '', own = ''] = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(
      ([, yaml = '']) => yaml,
    )
    expect(settings).toContain('tool_catalogue:')
    const catalogue = load(write('tools.yaml', own))
    expect(
      [
        ['ledger', 'post_journal'],
        ['ledger', 'get_entry'],
        [undefined, 'kündige_vertrag'],
        [undefined, 'create_beleg'],
      ].map(([server, tool]) => catalogue.classify({ server, tool }).capability),
    ).toEqual(['send-external', 'read-sensitive', 'delete', 'send-external'])
  })
})
