import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAst } from 'vite'
import { parseRegex, sampleOf } from './regex.ts'

const ROOT = join(import.meta.dirname, '../../..')

export interface FoundExpression {
  /** File and line. */
  readonly place: string
  readonly expression: RegExp
}

/** Every regular expression that is written in the source files below the folders, in the order of files and lines. */
export function expressionsIn(folders: readonly string[]): readonly FoundExpression[] {
  return folders
    .flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: ROOT }))
    .filter((file) => !file.includes('/generated/'))
    .sort()
    .flatMap((file) => {
      const code = readFileSync(join(ROOT, file), 'utf8')
      const found: FoundExpression[] = []
      const visit = (node: unknown): void => {
        if (typeof node !== 'object' || node === null) return
        const { regex, start } = node as { regex?: { pattern: string; flags: string }; start?: number }
        if (regex !== undefined)
          found.push({
            place: `${file}:${code.slice(0, start).split('\n').length}`,
            expression: new RegExp(regex.pattern, regex.flags),
          })
        for (const part of Object.values(node)) visit(part)
      }
      visit(parseAst(code, { lang: 'ts', astType: 'ts' }))
      return found
    })
}

/** What texts, markup, SQL, JSON, command lines and headers open and separate with. */
const OPENERS =
  '{ [ ( < " \' ` \\ \\" \\\\" """ \'\'\' {" [" [[ {{ (( ${ <! <![CDATA[ &lt; --- -- :// @ % %25 %2 \\u00 \\n |\n >\n'.split(
    ' ',
  )
const SEPARATORS = [
  ' ',
  '\n',
  '\t',
  '',
  ',',
  ';',
  '&',
  '|',
  '=',
  ':',
  ': ',
  '/',
  '.',
  '-',
  '_',
  '","',
  '\\n',
  '\r\n',
]
const NAMES =
  'token password secret api_key sig x-signature authorization cookie tokens seed pat pin connectionString'.split(
    ' ',
  )

/**
 * Texts to repeat: of every expression what it matches, the beginnings of that, near misses and runs of its last
 * character, and of all of those what comes of putting them together. The same seed gives the same pieces. A `#` stands
 * for the number of the repetition.
 */
export function hostilePieces(
  expressions: readonly FoundExpression[],
  count: number,
  random: () => number,
): readonly string[] {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const nodes = expressions.map(({ expression }) => parseRegex(expression))
  const sample = (node = pick(nodes)) => sampleOf(node, random)
  const begun = (node?: (typeof nodes)[number]) => {
    const whole = sample(node)
    return whole.slice(0, 1 + Math.floor(random() * whole.length))
  }
  const pumped = (node?: (typeof nodes)[number]) => {
    const text = begun(node)
    return text + text.slice(-1).repeat(2 ** Math.floor(random() * 13))
  }
  const named = () => pick(NAMES) + pick(['=', ':', ': ', '="', "='", '","', "', ", ' ', '>', '[', '|', '#='])
  const made: readonly (() => string)[] = [
    () => sample() + pick(SEPARATORS),
    () => begun() + pick(SEPARATORS),
    () => pumped(),
    () => named() + pick(SEPARATORS),
    () => named() + pick(OPENERS),
    () => pick(OPENERS) + named() + pick(OPENERS),
    () => pick(SEPARATORS) + named() + begun(),
    () => begun() + pick(SEPARATORS) + begun() + pick(SEPARATORS),
    () =>
      Array.from({ length: 2 + Math.floor(random() * 4) }, () =>
        pick([begun, named, () => pick(OPENERS)])(),
      ).join(''),
    () => pick(OPENERS) + pick(SEPARATORS),
  ]
  const pieces: string[] = []
  // Each expression has its turn before any has a second one.
  for (let at = 0; pieces.length < count; at++) {
    const node = nodes[at % nodes.length]
    const piece =
      at < 2 * nodes.length ? pick([sample, begun, pumped])(node) + pick(SEPARATORS) : pick(made)()
    if (piece !== '') pieces.push(piece)
  }
  return pieces
}

/** The piece over and over, `length` characters long. */
export function repeated(piece: string, length: number): string {
  const counted = piece.includes('#')
  let text = ''
  for (let number = 0; text.length < length; number++)
    text += counted ? piece.replace('#', String(number)) : piece
  return text.slice(0, length)
}

/** Numbers from 0 up to 1, always the same for a seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
