/** A regular expression taken apart, as far as gatewatch’s own expressions go: to make texts of it and to count its steps. */
export type Node =
  | {
      readonly kind: 'char'
      readonly matches: (char: string) => boolean
      readonly examples: readonly string[]
    }
  | { readonly kind: 'sequence'; readonly items: readonly Node[] }
  | { readonly kind: 'choice'; readonly options: readonly Node[] }
  | {
      readonly kind: 'repeat'
      readonly item: Node
      readonly least: number
      readonly most: number
      readonly lazy: boolean
    }
  | { readonly kind: 'group'; readonly item: Node; readonly index: number | undefined }
  | { readonly kind: 'look'; readonly item: Node; readonly ahead: boolean; readonly wanted: boolean }
  | { readonly kind: 'bound'; readonly bound: '^' | '$' | 'b' | 'B' }
  | { readonly kind: 'back'; readonly index: number | string }

const EXAMPLES = ['a', 'A', 'b', 'x', '0', '7', ' ', '\n', '\t', ...'_-./:=+@#%&?;,!~|*$(){}[]<>\'"`\\^é']

/** @throws SyntaxError for what gatewatch’s expressions do not use */
export function parseRegex({ source, flags }: RegExp): Node {
  const ignoreCase = flags.includes('i')
  let at = 0
  let groups = 0

  const choice = (): Node => {
    const options = [sequence()]
    while (source[at] === '|') {
      at++
      options.push(sequence())
    }
    return options.length === 1 ? (options[0] as Node) : { kind: 'choice', options }
  }
  const sequence = (): Node => {
    const items: Node[] = []
    while (at < source.length && source[at] !== '|' && source[at] !== ')') items.push(repeated(atom()))
    return { kind: 'sequence', items }
  }
  const repeated = (item: Node): Node => {
    const [whole, sign, least, comma, most] =
      /^(?:([*+?])|\{(\d+)(,)?(\d+)?\})\??/.exec(source.slice(at)) ?? []
    if (whole === undefined) return item
    at += whole.length
    const bounds =
      sign === undefined
        ? [Number(least), comma === undefined ? Number(least) : most === undefined ? Infinity : Number(most)]
        : { '*': [0, Infinity], '+': [1, Infinity], '?': [0, 1] }[sign as '*' | '+' | '?']
    const lazy = whole.length > 1 && whole.endsWith('?')
    return { kind: 'repeat', item, least: bounds[0] as number, most: bounds[1] as number, lazy }
  }
  const atom = (): Node => {
    const char = source[at] as string
    if (char === '(') return group()
    if (char === '[') return charClass()
    at++
    if (char === '^' || char === '$') return { kind: 'bound', bound: char }
    if (char === '.') return one((other) => other !== '\n' && other !== '\r')
    if (char !== '\\') return literal(codePoint(at - 1, char))
    return escapeSequence()
  }
  // A character beyond the basic plane is two code units.
  const codePoint = (start: number, char: string): string => {
    const whole = flags.includes('u') ? String.fromCodePoint(source.codePointAt(start) ?? 0) : char
    at = start + whole.length
    return whole
  }
  const group = (): Node => {
    const [opening = '('] = /^\((?:\?(?:[:=!]|<[=!]|<\w+>))?/.exec(source.slice(at)) ?? []
    at += opening.length
    const captures = opening === '(' || /^\(\?<\w/.test(opening)
    const index = captures ? ++groups : undefined
    const item = choice()
    at++
    if (/[=!]$/.test(opening))
      return { kind: 'look', item, ahead: !opening.includes('<'), wanted: opening.endsWith('=') }
    return { kind: 'group', item, index }
  }
  const escapeSequence = (): Node => {
    const char = source[at++] as string
    if (char === 'b' || char === 'B') return { kind: 'bound', bound: char }
    if (/[1-9]/.test(char)) return { kind: 'back', index: Number(char) }
    const set = setOf(char)
    return set === undefined ? literal(escaped(char)) : one(set)
  }
  const setOf = (char: string): ((other: string) => boolean) | undefined => {
    if (char === 'p' || char === 'P') {
      const property = /^\{[^}]+\}/.exec(source.slice(at))?.[0] ?? ''
      at += property.length
      const expression = new RegExp(`^\\${char}${property}$`, 'u')
      return (other) => expression.test(other)
    }
    if (!'dDwWsS'.includes(char)) return undefined
    const expression = new RegExp(`^\\${char}$`)
    return (other) => expression.test(other)
  }
  const escaped = (char: string): string => {
    const hex = /^(?:u\{([\da-f]+)\}|u([\da-f]{4})|x([\da-f]{2}))/i.exec(source.slice(at - 1))
    if (hex) {
      at += hex[0].length - 1
      return String.fromCodePoint(Number.parseInt(hex[1] ?? hex[2] ?? hex[3] ?? '0', 16))
    }
    return { n: '\n', r: '\r', t: '\t', 0: '\0', f: '\f', v: '\v' }[char] ?? char
  }
  const charClass = (): Node => {
    at++
    const negated = source[at] === '^'
    if (negated) at++
    const tests: ((other: string) => boolean)[] = []
    const named: string[] = []
    while (source[at] !== ']') {
      const low = classItem()
      if (typeof low !== 'string') {
        tests.push(low)
        continue
      }
      named.push(low)
      if (source[at] !== '-' || source[at + 1] === ']') {
        tests.push((other) => other === low)
        continue
      }
      at++
      const high = classItem()
      if (typeof high !== 'string') {
        tests.push((other) => other === low || other === '-', high)
        continue
      }
      named.push(high)
      tests.push(
        (other) =>
          other.codePointAt(0)! >= low.codePointAt(0)! && other.codePointAt(0)! <= high.codePointAt(0)!,
      )
    }
    at++
    return one((other) => tests.some((test) => test(other)) !== negated, negated ? [] : named)
  }
  const classItem = (): string | ((other: string) => boolean) => {
    const char = source[at++] as string
    if (char !== '\\') return codePoint(at - 1, char)
    const kind = source[at++] as string
    if (kind === 'b') return '\b'
    return setOf(kind) ?? escaped(kind)
  }
  const one = (test: (char: string) => boolean, named: readonly string[] = []): Node => {
    const known = new Map<string, boolean>()
    const matches = (char: string): boolean => {
      let answer = known.get(char)
      if (answer === undefined) {
        answer = test(char) || (ignoreCase && (test(char.toLowerCase()) || test(char.toUpperCase())))
        known.set(char, answer)
      }
      return answer
    }
    const examples = [...named, ...EXAMPLES].filter(matches)
    return { kind: 'char', matches, examples: examples.length > 0 ? examples : named }
  }
  const literal = (char: string): Node => one((other) => other === char, [char])

  const whole = choice()
  if (at < source.length) throw new SyntaxError(`/${source}/ was read up to ${at}`)
  return whole
}

/** A text that the expression matches, or nearly: what it says of the text around it is not kept. */
export function sampleOf(node: Node, random: () => number, longest = 24): string {
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)]
  const walk = (each: Node): string => {
    switch (each.kind) {
      case 'char':
        return pick(each.examples) ?? ''
      case 'sequence':
        return each.items.map(walk).join('')
      case 'choice':
        return walk(pick(each.options) as Node)
      case 'group':
        return walk(each.item)
      case 'repeat': {
        const most = Math.min(each.most, each.least + (random() < 0.5 ? 1 : longest))
        const times = each.least + Math.floor(random() * (most - each.least + 1))
        // One character over and over is as good as many, and quicker to go wrong.
        if (each.item.kind === 'char' && random() < 0.7) return walk(each.item).repeat(times)
        return Array.from({ length: times }, () => walk(each.item)).join('')
      }
      case 'look':
        return each.ahead && each.wanted ? walk(each.item) : ''
      default:
        return ''
    }
  }
  return walk(node)
}
