import type { Format, Marks } from './format.ts'

/**
 * What a record that no format recognises comes nearest to, and what it lacks, as half a sentence (`It comes nearest to
 * kong, but has no ai.mcp.`); `undefined` when it is like none. Pure, and cheap enough for a topic that holds nothing else:
 * it looks at the names of at most 64 keys, and for misspelt ones at 16.
 */
export type NearestFormat = (json: unknown) => string | undefined

interface Known {
  readonly name: string
  readonly needs: readonly Need[]
  readonly usual: number
}

interface Need {
  readonly keys: readonly { readonly key: string; readonly word: string | undefined }[]
}

/** That a key says something for a format: a need that it has, or one that is not among those (`-1`). */
interface Hint {
  readonly format: number
  readonly need: number
  readonly key: string
}

interface Misspelt {
  readonly key: string
  readonly meant: string
}

const MAX_KEYS = 64
const MAX_MISSPELT = 16
// A format with many usual keys is known by this many of them.
const MANY_USUAL = 4
const NEAR = 0.6
const [FEWEST_LETTERS, MOST_LETTERS] = [5, 32]

export function createNearestFormat(formats: readonly Format[]): NearestFormat {
  const known: readonly Known[] = formats.flatMap(({ name, marks }) => (marks ? [knownOf(name, marks)] : []))
  const marked = formats.flatMap(({ marks }) => (marks ? [marks] : []))
  const byKey = new Map<string, Hint[]>()
  const bySpelling = new Map<string, Hint[]>()
  const note = (map: Map<string, Hint[]>, word: string, hint: Hint) => {
    const hints = map.get(word)
    if (hints === undefined) map.set(word, [hint])
    else if (!hints.includes(hint)) hints.push(hint)
  }
  known.forEach(({ needs }, format) => {
    needs.forEach(({ keys }, need) => {
      for (const { key } of keys) {
        const hint = { format, need, key }
        note(byKey, key, hint)
        if (key.includes('.')) note(byKey, key.slice(0, key.indexOf('.')), hint)
        for (const spelling of spellingsOf(key)) note(bySpelling, spelling, hint)
      }
    })
    for (const key of marked[format]?.usual ?? []) note(byKey, key, { format, need: -1, key })
  })

  return (json) => {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined
    const record = json as Readonly<Record<string, unknown>>
    const usual = new Uint8Array(known.length)
    const misspelt = new Map<string, Misspelt>()
    const touched = new Set<number>()
    let [looked, unknown] = [0, 0]
    for (const key in record) {
      if (++looked > MAX_KEYS) break
      const hints = byKey.get(key)
      if (hints !== undefined) {
        for (const { format, need } of hints) {
          touched.add(format)
          if (need === -1) usual[format] = (usual[format] ?? 0) + 1
        }
      } else if (++unknown <= MAX_MISSPELT) {
        for (const { format, need, key: meant } of hintsOfSpelling(key, bySpelling)) {
          touched.add(format)
          misspelt.set(`${format}/${need}`, { key, meant })
        }
      }
    }
    let best: { format: number; share: number } | undefined
    for (const format of touched) {
      const share = shareOf(format, record, usual[format] ?? 0, misspelt)
      if (share >= NEAR && (best === undefined || share > best.share)) best = { format, share }
    }
    return best === undefined ? undefined : describe(best.format, record, misspelt)
  }

  function shareOf(
    index: number,
    record: Readonly<Record<string, unknown>>,
    usual: number,
    misspelt: ReadonlyMap<string, Misspelt>,
  ): number {
    const format = known[index]
    if (format === undefined) return 0
    let [points, hints] = [Math.min(usual, format.usual), usual]
    format.needs.forEach((need, at) => {
      const met = isMet(need, record)
      if (!met && !misspelt.has(`${index}/${at}`)) return
      points += met ? 2 : 1.5
      // A word that is nearly one of its own is no chance.
      hints += met ? 1 : 2
    })
    const most = 2 * format.needs.length + format.usual
    return hints < Math.min(2, format.needs.length + format.usual) ? 0 : points / most
  }

  function describe(
    index: number,
    record: Readonly<Record<string, unknown>>,
    misspelt: ReadonlyMap<string, Misspelt>,
  ): string | undefined {
    const format = known[index]
    if (format === undefined) return undefined
    const faults = format.needs.flatMap((need, at) => {
      const names = need.keys.map(({ key }) => key).join(' or ')
      const wrong = misspelt.get(`${index}/${at}`)
      if (isMet(need, record)) return []
      if (wrong !== undefined) return [`writes ${wrong.key} for ${wrong.meant}`]
      const [other] = need.keys.filter(
        ({ key, word }) => word !== undefined && valueAt(record, key) !== undefined,
      )
      return [other === undefined ? `has no ${names}` : `its ${other.key} is not ${other.word}`]
    })
    const [first = `what it has as ${format.needs[0]?.keys[0]?.key} is of another kind`, ...others] = faults
    return `It comes nearest to ${format.name}, but ${[first, ...others].join(' and ')}.`
  }
}

const knownOf = (name: string, { needs, usual = [] }: Marks): Known => ({
  name,
  needs: needs.map((need) => ({
    keys: (typeof need === 'string' ? [need] : need).map((text) => {
      const [key = '', word] = text.split('=')
      return { key, word }
    }),
  })),
  usual: Math.min(usual.length, MANY_USUAL),
})

const isMet = ({ keys }: Need, record: Readonly<Record<string, unknown>>): boolean =>
  keys.some(({ key, word }) => {
    const value = valueAt(record, key)
    return word === undefined ? value !== undefined : value === word
  })

/** The value of a key: by itself, or as a path into objects; `undefined` when it is not there. */
export function valueAt(record: Readonly<Record<string, unknown>>, key: string): unknown {
  if (Object.hasOwn(record, key)) return record[key]
  if (!key.includes('.')) return undefined
  let value: unknown = record
  for (const step of key.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Readonly<Record<string, unknown>>)[step]
  }
  return value
}

function hintsOfSpelling(key: string, bySpelling: ReadonlyMap<string, Hint[]>): readonly Hint[] {
  if (key.length < FEWEST_LETTERS || key.length > MOST_LETTERS) return []
  for (const spelling of spellingsOf(key)) {
    const hints = bySpelling.get(spelling)
    if (hints !== undefined) return hints
  }
  return []
}

/**
 * The letters of a key in lower case, and the same with one letter left out: two keys that share one of these differ in
 * case, in what joins their words, or in a letter that is missing, added or another one.
 */
function spellingsOf(key: string): string[] {
  const letters = key.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '')
  if (letters.length < FEWEST_LETTERS || letters.length > MOST_LETTERS) return []
  const spellings = [letters]
  for (let at = 0; at < letters.length; at++) spellings.push(letters.slice(0, at) + letters.slice(at + 1))
  return spellings
}
