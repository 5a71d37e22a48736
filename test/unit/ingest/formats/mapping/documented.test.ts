import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { parseConfig } from '../../../../../app/config/config.ts'
import { createDecoder } from '../../../../../ingest/decode.ts'
import { parseMappings } from '../../../../../ingest/formats/mapping/mapping.ts'
import { formatsWith } from '../../../../../ingest/formats/registry.ts'
import { record } from '../../sample-pipeline.ts'

const text = readFileSync(new URL('../../../../../docs/mapping.md', import.meta.url), 'utf8')
const blocks = [...text.matchAll(/^```([\w ]+)\n([\s\S]*?)^```$/gm)].map(([, info = '', body = '']) => ({
  info,
  body,
}))

/** A block without a name shows fields only. */
const whole = (yaml: string) => (yaml.startsWith('name:') ? yaml : `name: shown\n${yaml}`)

const examples = blocks.flatMap(({ info, body }, index) => {
  const [sample, event] = blocks.slice(index + 1)
  return info === 'yaml' ? [{ yaml: body, sample, event }] : []
})

describe('docs/mapping.md', () => {
  it('shows mapping files, each with a record and what it becomes', () => {
    expect(examples.length).toBeGreaterThan(6)
    for (const { sample, event } of examples) {
      expect(sample?.info).toMatch(/^(?:json|text)$/)
      expect(event?.info).toBe('yaml event')
    }
  })

  it.each(examples.map((example) => [example.yaml.split('\n')[0], example] as const))(
    '%s',
    (_, { yaml, sample, event }) => {
      const { formats, errors } = parseMappings([{ at: 'docs/mapping.md', text: whole(yaml) }])
      expect(errors.map((error) => error.toLine())).toEqual([])
      const [format] = formats
      const given = yaml.startsWith('name:') ? {} : { format: 'shown' }
      const [piece] = createDecoder({ formats: formatsWith(formats) })(
        record(sample?.body.trim() ?? '', given),
      )
      expect(piece?.sourceFormat).toBe(format?.name)
      const [entry] = piece?.entries ?? []
      if (entry?.kind !== 'event' && entry?.kind !== 'part') throw new Error(JSON.stringify(entry))
      expect(entry.draft).toMatchObject(parse(event?.body ?? ''))
    },
  )

  it('shows a setting that there is', () => {
    const [settings] = blocks.filter(({ info }) => info === 'yaml settings')
    expect(parseConfig(settings?.body ?? '', 'docs/mapping.md')).toEqual({ mappings: ['acme.yaml'] })
  })
})
