import type { QueryParams } from './database.ts'

/**
 * Puts the values of `{name:Type}` into the statement as literals. chDB runs all queries with parameters of a process one
 * after the other, on whatever connections they come in (its `globalParamChain`): one slow question of a person
 * would hold up detection. Literals do not have to wait.
 *
 * Each value becomes one string literal, cast to the type that the statement names, which is what the engine makes of a
 * parameter as well. Nothing of a value is outside its quotes, and a value that looks like a parameter is not one.
 */
export function inlineParams(sql: string, params: QueryParams): string {
  return sql.replace(/\{(\w+):([^{}]+)\}/g, (all: string, name: string, type: string) => {
    if (!Object.hasOwn(params, name)) return all
    const value = params[name] as QueryParams[string]
    const literal = quoted(textOf(value))
    return type.trim() === 'String' ? literal : `CAST(${literal}, ${quoted(type.trim())})`
  })
}

function textOf(value: QueryParams[string]): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return numeral(value)
  if (typeof value === 'boolean') return String(value)
  return `[${value.map((item) => (typeof item === 'string' ? quoted(item) : numeral(item))).join(',')}]`
}

// Whole numbers beyond 2^53 without an exponent, which no integer type reads.
const numeral = (value: number): string =>
  Number.isInteger(value) ? BigInt(value).toString() : String(value)

// A NUL would end the statement where the engine takes it over.
const quoted = (text: string): string =>
  `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\0', '\\0')}'`
