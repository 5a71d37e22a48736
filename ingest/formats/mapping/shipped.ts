import { readFileSync } from 'node:fs'
import { type MappedFormat, parseMappings } from './mapping.ts'

const FOLDER = new URL('../../mappings/', import.meta.url)

/**
 * A mapping file that is part of the program, by the name of its format.
 * @throws GatewatchError `config_invalid`: the file is broken
 */
export function shippedMapping(name: string): MappedFormat {
  const at = `ingest/mappings/${name}.yaml`
  const { formats, errors } = parseMappings([
    { at, text: readFileSync(new URL(`${name}.yaml`, FOLDER), 'utf8') },
  ])
  const [format] = formats
  if (format === undefined) throw errors[0]
  return format
}
