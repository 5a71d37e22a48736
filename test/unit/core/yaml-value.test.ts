import { expect, it } from 'vitest'
import { parseDocument } from 'yaml'
import { parseConfig } from '../../../app/config/config.ts'
import { parseToolCatalogues } from '../../../core/tool-catalogue.ts'
import { valueOfYaml } from '../../../core/yaml-value.ts'

const CYCLE = 'log_level: &a\n  - *a\n'

it('an alias that leads back is refused, one that is used twice is not', () => {
  expect(() => valueOfYaml(parseDocument(CYCLE))).toThrow('an alias leads back to what it is in')
  const twice = parseDocument('one: &a { x: [1] }\ntwo: *a\nthree: [*a, *a]\n')
  expect(valueOfYaml(twice)).toMatchObject({ two: { x: [1] }, three: [{ x: [1] }, { x: [1] }] })
})

it('settings and catalogues of tools say so, in the words of a setting', () => {
  expect(() => parseConfig(CYCLE, 'gatewatch.yaml')).toThrow(/is not valid YAML: an alias leads back/i)
  expect(() => parseToolCatalogues([{ at: 'tools.yaml', text: 'tools: &a\n  - *a\n' }])).toThrow(
    /is not valid YAML/,
  )
})
