import { type Node, parseRegex } from './regex.ts'

/**
 * The steps that a backtracking matcher takes for an expression: one for each character that it compares, whether it goes
 * on or back from there. The engine of Node works the same way, with short cuts; steps are the same on every machine.
 */
export interface StepCounter {
  /** Where a match ends that begins at `from`, or −1. */
  matchAt(text: string, from: number): number
  steps(): number
}

const MOST_STEPS = 20_000_000

type Continue = (at: number) => number

/** @throws RangeError after so many steps that the expression cannot be meant to take them */
export function createStepCounter(expression: RegExp): StepCounter {
  const { flags } = expression
  const node = parseRegex(expression)
  let steps = 0
  let text = ''
  let captured: (string | undefined)[] = []

  const step = () => {
    if (++steps > MOST_STEPS) throw new RangeError(`${expression} takes more than ${MOST_STEPS} steps`)
  }
  const isWord = (at: number): boolean => /\w/.test(text[at] ?? '')
  const isBound = (bound: '^' | '$' | 'b' | 'B', at: number): boolean => {
    if (bound === '^') return at === 0 || (flags.includes('m') && text[at - 1] === '\n')
    if (bound === '$') return at === text.length || (flags.includes('m') && text[at] === '\n')
    return (isWord(at - 1) !== isWord(at)) === (bound === 'b')
  }
  // Characters beyond the basic plane are two code units, and one step.
  const charAt = (at: number): string =>
    flags.includes('u') ? String.fromCodePoint(text.codePointAt(at) ?? 0) : (text[at] as string)

  const run = (each: Node, at: number, go: Continue): number => {
    switch (each.kind) {
      case 'char': {
        step()
        if (at >= text.length) return -1
        const char = charAt(at)
        return each.matches(char) ? go(at + char.length) : -1
      }
      case 'sequence':
        return sequence(each.items, 0, at, go)
      case 'choice': {
        for (const option of each.options) {
          const end = run(option, at, go)
          if (end !== -1) return end
        }
        return -1
      }
      case 'group': {
        const { index } = each
        if (index === undefined) return run(each.item, at, go)
        const before = captured[index]
        const end = run(each.item, at, (to) => {
          captured[index] = text.slice(at, to)
          return go(to)
        })
        if (end === -1) captured[index] = before
        return end
      }
      case 'repeat':
        return each.item.kind === 'char' ? repeatChar(each, at, go) : repeat(each, at, 0, go)
      case 'look': {
        const found = each.ahead ? run(each.item, at, (to) => to) !== -1 : behind(each.item, at)
        return found === each.wanted ? go(at) : -1
      }
      case 'bound':
        return isBound(each.bound, at) ? go(at) : -1
      case 'back': {
        const wanted = captured[Number(each.index)] ?? ''
        steps += wanted.length
        return text.startsWith(wanted, at) ? go(at + wanted.length) : -1
      }
    }
  }

  const sequence = (items: readonly Node[], index: number, at: number, go: Continue): number => {
    const item = items[index]
    return item === undefined ? go(at) : run(item, at, (to) => sequence(items, index + 1, to, go))
  }

  type Repeat = Node & { readonly kind: 'repeat' }

  // One character over and over: a loop, or the stack would be as deep as the text is long.
  const repeatChar = ({ item, least, most, lazy }: Repeat, at: number, go: Continue): number => {
    const ends = [at]
    const more = (): boolean => {
      if (ends.length > most) return false
      const end = run(item, ends.at(-1) as number, (to) => to)
      if (end !== -1) ends.push(end)
      return end !== -1
    }
    while (ends.length <= least) if (!more()) return -1
    if (lazy) {
      do {
        const end = go(ends.at(-1) as number)
        if (end !== -1) return end
      } while (more())
      return -1
    }
    while (more());
    for (; ends.length > least; ends.pop()) {
      step()
      const end = go(ends.at(-1) as number)
      if (end !== -1) return end
    }
    return -1
  }

  const repeat = (each: Repeat, at: number, times: number, go: Continue): number => {
    const again = (): number =>
      times >= each.most
        ? -1
        : run(each.item, at, (to) =>
            to === at && times >= each.least ? -1 : repeat(each, to, times + 1, go),
          )
    if (times < each.least) return again()
    const end = each.lazy ? go(at) : again()
    if (end !== -1) return end
    return each.lazy ? again() : go(at)
  }

  // Backwards from `at`, as far as the expression may reach.
  const behind = (item: Node, at: number): boolean => {
    for (let from = at; from >= 0 && at - from <= longestOf(item); from--)
      if (run(item, from, (to) => (to === at ? to : -1)) !== -1) return true
    return false
  }

  return {
    matchAt: (of, from) => {
      text = of
      captured = []
      return run(node, from, (to) => to)
    },
    steps: () => steps,
  }
}

/** Steps to find every match in a text, one after the other, as `replace` does. */
export function stepsThrough(expression: RegExp, text: string): number {
  const counter = createStepCounter(expression)
  for (let at = 0; at <= text.length; at++) {
    const end = counter.matchAt(text, at)
    if (end > at) at = end - 1
    // Without `g` the first is all; without `g` and `y` it may be anywhere.
    if (end !== -1 && !expression.global) break
    if (expression.sticky || isAnchored(expression)) break
  }
  return counter.steps()
}

const isAnchored = ({ source, multiline }: RegExp): boolean =>
  !multiline && source.startsWith('^') && !/^\^[^(]*\|/.test(source)

function longestOf(node: Node): number {
  switch (node.kind) {
    case 'char':
      return 1
    case 'sequence':
      return node.items.reduce((sum, item) => sum + longestOf(item), 0)
    case 'choice':
      return Math.max(...node.options.map(longestOf))
    case 'group':
      return longestOf(node.item)
    case 'repeat':
      return Math.min(node.most, 4096) * longestOf(node.item)
    default:
      return 0
  }
}
