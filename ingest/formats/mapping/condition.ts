import { numberOf, textOf } from '../field-values.ts'
import { entriesOf, type Given, isMapping, shown } from './mapping-source.ts'
import { patternIn } from './pattern.ts'
import { compilePath, type JsonTexts, pathIn, type Scope } from './record-path.ts'

export type Condition = (scope: Scope) => boolean
type Test = (value: unknown) => boolean

const TESTS = ['is', 'not', 'matches', 'above', 'below', 'at_least', 'at_most', 'present'] as const

/**
 * A condition: a path (it has a value), entries `path: test` (all of them hold), or a list of conditions (one of them
 * holds). A test is a value, a list of values, or `{ matches | not | above | … }`.
 */
export function conditionIn(given: Given, jsonTexts: JsonTexts): Condition | undefined {
  if (Array.isArray(given.value)) {
    const any = given.each().map((each) => conditionIn(each, jsonTexts))
    if (any.length === 0) return given.refuse('is an empty list.', 'Write at least one condition.')
    return (scope) => any.some((condition) => condition?.(scope))
  }
  if (typeof given.value === 'string') {
    const path = pathIn(given, jsonTexts)
    return path && ((scope) => hasValue(path.read(scope)))
  }
  if (!isMapping(given.value))
    return given.refuse(
      `must be a condition, not ${shown(given.value)}.`,
      'Write a path that must have a value, or { path: value }.',
    )
  const all = Object.keys(given.value).flatMap((name) => {
    const path = compilePath(name, jsonTexts)
    if (path === undefined) {
      given.at(name).refuse('is not a path.', 'Write the path of the key that is tested.')
      return []
    }
    const test = testIn(given.at(name))
    return test ? [(scope: Scope) => test(path.read(scope))] : []
  })
  return (scope) => all.every((condition) => condition(scope))
}

/** Whether there is something: neither absent, `null`, an empty text nor the `-` of access logs. */
export const hasValue = (value: unknown): boolean =>
  typeof value === 'object' ? value !== null : textOf(value) !== undefined

function testIn(given: Given): Test | undefined {
  const { value } = given
  if (Array.isArray(value)) {
    const any = given.each().map(testIn)
    return (found) => any.some((test) => test?.(found))
  }
  if (value === null) return (found) => !hasValue(found)
  if (!isMapping(value)) return equals(value)
  const tests = (entriesOf(given, TESTS, 'as a test') ?? []).flatMap((name) => {
    const test = namedTest(name as (typeof TESTS)[number], given.at(name))
    return test ? [test] : []
  })
  return (found) => tests.every((test) => test(found))
}

function namedTest(name: (typeof TESTS)[number], given: Given): Test | undefined {
  if (name === 'is') return testIn(given)
  if (name === 'not') {
    const test = testIn(given)
    return test && ((found) => !test(found))
  }
  if (name === 'matches') {
    const pattern = patternIn(given)
    return (
      pattern &&
      ((found) => {
        const text = textOf(found)
        return text !== undefined && pattern.test(text)
      })
    )
  }
  if (name === 'present') {
    if (typeof given.value !== 'boolean') return given.refuse('must be true or false.', 'Write present: true')
    return (found) => hasValue(found) === given.value
  }
  const bound = given.value
  if (typeof bound !== 'number')
    return given.refuse(`must be a number, not ${shown(bound)}.`, 'Write for example: 400')
  const compare: Readonly<Record<string, (number: number) => boolean>> = {
    above: (number) => number > bound,
    below: (number) => number < bound,
    at_least: (number) => number >= bound,
    at_most: (number) => number <= bound,
  }
  const holds = compare[name]
  return (found) => {
    const number = numberOf(found)
    return number !== undefined && holds?.(number) === true
  }
}

// Gateways write numbers and flags as text as well: "200" is 200, "true" is true.
function equals(wanted: unknown): Test {
  const text = String(wanted)
  return (found) =>
    found === wanted ||
    ((typeof found === 'object' ? undefined : found) !== undefined && String(found) === text)
}
