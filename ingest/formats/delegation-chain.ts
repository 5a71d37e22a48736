import { type JsonObject, listOf, objectOf, textOf } from './field-values.ts'

const MAX_LEVELS = 32

/** Who acts for the subject of a token, the one that made the call first: the nested `act` claims of RFC 8693, section 4.1. */
export function actorsOf(claims: JsonObject): string[] {
  const chain: string[] = []
  let actor = objectOf(claims['act'])
  for (let level = 0; level < MAX_LEVELS; level++) {
    const name = textOf(actor['sub']) ?? textOf(actor['client_id'])
    if (name === undefined) break
    chain.push(name)
    actor = objectOf(actor['act'])
  }
  return chain
}

/** A list of principals as sources write it: names, or objects with an id, as a list or as JSON text. */
export function principalsOf(value: unknown): string[] {
  return listOf(listIn(value)).flatMap((item) => {
    const { id, sub, user_id: userId, email, name } = objectOf(item)
    return textOf(item) ?? textOf(id) ?? textOf(sub) ?? textOf(userId) ?? textOf(email) ?? textOf(name) ?? []
  })
}

function listIn(value: unknown): unknown {
  if (typeof value !== 'string') return value
  if (!value.startsWith('[')) return value === '' ? [] : [value]
  try {
    return JSON.parse(value) as unknown
  } catch {
    return []
  }
}
