import { createHash, randomBytes } from 'node:crypto'
import type { ApiCapability, Principal } from './principal.ts'

/** What is kept of a long-lived API key. The key has 256 random bits, so a plain SHA-256 hides it well enough. */
export interface ApiKeyRecord {
  /** SHA-256 of the whole key, in hex. */
  readonly sha256: string
  readonly subject: string
  readonly tenant: string
  readonly capabilities: readonly ApiCapability[]
  readonly source?: string
}

export interface ApiKeys {
  /** The principal behind a key, or `undefined` when the key is not one of ours. */
  verify(text: string): Principal | undefined
}

const API_KEY = /^gw_[\w-]{43}$/

const sha256 = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex')

/** Makes a key `gw_<secret>`. `key` is to be shown or stored once; only `record` is kept. */
export function generateApiKey(principal: Principal): {
  readonly key: string
  readonly record: ApiKeyRecord
} {
  const key = `gw_${randomBytes(32).toString('base64url')}`
  return { key, record: apiKeyRecord(key, principal) }
}

/** The record of a key that exists already, for instance in the file of the embedded start. */
export const apiKeyRecord = (
  key: string,
  { subject, tenant, capabilities, source }: Principal,
): ApiKeyRecord => ({
  sha256: sha256(key),
  subject,
  tenant,
  capabilities,
  ...(source === undefined ? {} : { source }),
})

/** Whether a text has the shape of an API key (says nothing about whether it is valid). */
export const looksLikeApiKey = (text: string): boolean => API_KEY.test(text)

/** Keys are found by their hash, so how long the search takes says nothing about the key itself. */
export function createApiKeys(records: readonly ApiKeyRecord[]): ApiKeys {
  const byHash = new Map(records.map((record) => [record.sha256, record]))
  return {
    verify: (text) => {
      const record = looksLikeApiKey(text) ? byHash.get(sha256(text)) : undefined
      if (record === undefined) return undefined
      const { sha256: _, ...principal } = record
      return principal
    },
  }
}
