import type { QueryParams } from './database.ts'

const LONGEST = 1000
const SHORTEST_VALUE = 3
// The statement with all its values, and what the parser stopped at.
const STATEMENT = /(?::|\.)?\s*In scope .*$|(?<=failed at position \d{1,9}).*(?=\(SYNTAX_ERROR\)|$)/gs
// Not the apostrophe of “doesn't”.
const QUOTED = /(?<![A-Za-z])'(?:[^'\\]|\\.)*(?:'|$)|"(?:[^"\\]|\\.)*(?:"|$)/gs

/**
 * What the store said of a failure, without what it was asked about: a message quotes the values of the statement, and
 * messages are logged. Names in quotes go as well; the code and what kind of fault it is stay.
 * @param params values of the statement that failed
 */
export function withoutValues(message: string, params: QueryParams = {}): string {
  let clean = message.replace(STATEMENT, '')
  const values = Object.values(params)
    .flat()
    .map(String)
    .filter((value) => value.length >= SHORTEST_VALUE)
  for (const value of new Set(values.toSorted((a, b) => b.length - a.length)))
    clean = clean.replaceAll(value, '…')
  return clean.replace(QUOTED, "'…'").slice(0, LONGEST)
}
