import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { GatewatchError } from '../../core/errors.ts'
import { type MappedFormat, parseMappings } from '../../ingest/formats/mapping/mapping.ts'
import type { MappingText } from '../../ingest/formats/mapping/mapping-source.ts'
import { CODED_NAMES } from '../../ingest/formats/registry.ts'
import type { PlaceOf } from './place.ts'
import { reasonOf } from './secrets.ts'

/**
 * The texts of mapping files and of those in folders (`.yaml`, `.yml`), and their formats.
 * @throws GatewatchError `config_invalid` for a path that cannot be read, and for everything that is wrong in the files at once
 */
export function mappingsOf(
  paths: readonly string[],
  placeOf: PlaceOf,
): { readonly texts: readonly MappingText[]; readonly formats: readonly MappedFormat[] } {
  const texts = paths.flatMap((path, index) => {
    try {
      return filesAt(path).map((at) => ({ at, text: readFileSync(at, 'utf8') }))
    } catch (cause) {
      throw new GatewatchError('config_invalid', `${path} cannot be read: ${reasonOf(cause)}.`, {
        cause,
        ...placeOf(`mappings.${index}`),
        remedy: 'Check the path; it is relative to the folder that gatewatch is started in.',
      })
    }
  })
  const { formats, errors } = parseMappings(texts)
  const all = [...errors, ...formats.flatMap(nameTaken)]
  if (all.length > 0) throw together(all)
  return { texts, formats }
}

function filesAt(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path)
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => join(path, name))
}

const nameTaken = ({ name, at }: MappedFormat): GatewatchError[] =>
  CODED_NAMES.includes(name)
    ? [
        new GatewatchError('config_invalid', `is the name of a format that is built in: ${name}.`, {
          at,
          field: 'name',
          remedy: 'Give the mapping a name of its own.',
        }),
      ]
    : []

// One line for each, so that a file is mended in one go.
function together(errors: readonly GatewatchError[]): GatewatchError {
  const [only, ...more] = errors
  if (only !== undefined && more.length === 0) return only
  return new GatewatchError(
    'config_invalid',
    `${errors.length} faults in mapping files:\n${errors.map((error) => `  ${error.toLine()}`).join('\n')}`,
  )
}
