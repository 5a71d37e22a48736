import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { GatewatchError, messageOf } from '../../core/errors.ts'
import { canonicalPrincipal } from '../../core/identity.ts'
import type { PlaceOf } from './place.ts'
import { reasonOf } from './secrets.ts'

/**
 * The file of `actor.aliases`: for each actor the other names that the same principal has, in any spelling
 * (`ada@corp.example: ['CORP\\ada', ada.r]`). Canonical spelling of a name → the actor.
 * @throws GatewatchError `config_invalid` for a file that cannot be read, is of another form, or gives one name to two actors
 */
export function actorAliasesOf(file: string | undefined, placeOf: PlaceOf): ReadonlyMap<string, string> {
  if (file === undefined) return new Map()
  const wrong = (message: string, remedy: string, cause?: unknown) =>
    new GatewatchError('config_invalid', `${file} ${message}.`, {
      ...(cause === undefined ? {} : { cause }),
      ...placeOf('actor.aliases'),
      remedy,
    })
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw wrong(`cannot be read: ${reasonOf(cause)}`, 'Check the path.', cause)
  }
  let content: unknown
  try {
    content = parse(text) ?? {}
  } catch (cause) {
    throw wrong(`is no YAML: ${messageOf(cause)}`, 'Mend the line that is named.', cause)
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw wrong('has no actors', FORM)
  const aliases = new Map<string, string>()
  for (const [given, names] of Object.entries(content)) {
    if (!Array.isArray(names) || !names.every((each) => typeof each === 'string' || typeof each === 'number'))
      throw wrong(`gives ${JSON.stringify(given)} no list of names`, FORM)
    const actor = canonicalPrincipal(given)
    for (const name of names) {
      const alias = canonicalPrincipal(String(name))
      const other = aliases.get(alias)
      if (other !== undefined && other !== actor)
        throw wrong(`gives ${JSON.stringify(name)} to two actors`, 'Leave it with one of them.')
      if (alias !== actor) aliases.set(alias, actor)
    }
  }
  return aliases
}

const FORM = "Write one line for each actor: ada@corp.example: ['CORP\\ada', ada.r]"
