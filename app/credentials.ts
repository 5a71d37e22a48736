import { randomBytes } from 'node:crypto'
import { existsSync, linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { GatewatchError, messageOf } from '../core/errors.ts'
import type { RedactionKey } from '../ingest/redact/tokens.ts'
import { makeFolder } from '../store/make-folder.ts'

/**
 * Secrets that gatewatch makes for itself on the first start, one file each in a folder of their own, readable by
 * the owner only. They survive restarts: tokens, redaction marks and webhook signatures depend on them.
 */
export interface Credentials {
  /** 32 random bytes for the HMAC of redaction marks: the first key ever made. */
  readonly redactionKey: Buffer
  /** Every key of redaction marks, newest first: `redaction-key` is k1, `redaction-key-2` k2 and so on. */
  readonly redactionKeys: readonly [RedactionKey, ...RedactionKey[]]
  /** 32 random bytes for the keyed hashes of values in arguments and results. */
  readonly fingerprintKey: Buffer
  /** 32 random bytes that sign short-lived tokens. */
  readonly tokenKey: Buffer
  /** The long-lived key of the administrator (`gw_…`). */
  readonly apiKey: string
  /** Standard Webhooks secret (`whsec_…`) of the built-in receiver. */
  readonly webhookSecret: string
}

/** What a secret has to look like: text that is anything else would be a short or an empty key, and nobody would notice. */
interface Shape {
  readonly pattern: RegExp
  /** What the file should hold, as the object of “does not hold”. */
  readonly wanted: string
  /** The shell command that prints one. */
  readonly command: string
  /** What another one in its place changes. */
  readonly lost: string
}

const hexKey = (lost: string): Shape => ({
  pattern: /^(?:[0-9a-f]{2}){32,}$/i,
  wanted: '64 hexadecimal digits or more',
  command: 'openssl rand -hex 32',
  lost,
})

const REDACTION_KEY = hexKey('tokens made under the old key are not found by their values any more')
const FINGERPRINT_KEY = hexKey('values are not recognized across the change')
const TOKEN_KEY = hexKey('everybody signs in again')
const API_KEY: Shape = {
  pattern: /^gw_[\w-]{43}$/,
  wanted: 'an API key (gw_ and 43 letters, digits, - or _)',
  command: `echo "gw_$(openssl rand -base64 32 | tr '+/' '-_' | tr -d '=')"`,
  lost: 'whoever used the old key needs the new one',
}
const WEBHOOK_SECRET: Shape = {
  // 24 to 64 bytes, as Standard Webhooks asks for.
  pattern: /^whsec_(?=.{32,88}$)(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
  wanted: 'a webhook secret (whsec_ and the base64 of 24 to 64 bytes)',
  command: 'echo "whsec_$(openssl rand -base64 32)"',
  lost: 'the built-in receiver checks signatures with the new one',
}

/**
 * Reads the secrets, making those that are missing. Every one is checked.
 * @throws GatewatchError `config_invalid` when the folder cannot be written, or a file holds something else than its secret
 */
export function openCredentials(folder: string): Credentials {
  const readOrMake = (name: string, shape: Shape, make: () => string): string => {
    const path = join(folder, name)
    try {
      makeFolder(folder)
      if (!existsSync(path)) publish(path, make())
    } catch (cause) {
      throw new GatewatchError('config_invalid', `The folder ${folder} cannot be written.`, {
        cause,
        field: 'credentials',
        remedy:
          'Choose a folder that this user may write to, with --data DIR or credentials: in the configuration.',
      })
    }
    return readSecret(path, shape)
  }
  const readKey = (name: string, shape: Shape): Buffer =>
    Buffer.from(
      readOrMake(name, shape, () => randomBytes(32).toString('hex')),
      'hex',
    )
  const redactionKey = readKey('redaction-key', REDACTION_KEY)
  return {
    redactionKey,
    redactionKeys: newestFirst({ id: 'k1', secret: redactionKey }, laterKeys(folder)),
    fingerprintKey: readKey('fingerprint-key', FINGERPRINT_KEY),
    tokenKey: readKey('token-key', TOKEN_KEY),
    apiKey: readOrMake('api-key', API_KEY, () => `gw_${randomBytes(32).toString('base64url')}`),
    webhookSecret: readOrMake(
      'webhook-secret',
      WEBHOOK_SECRET,
      () => `whsec_${randomBytes(32).toString('base64')}`,
    ),
  }
}

// Never says what the file holds: it may be a secret, of something else.
function readSecret(path: string, { pattern, wanted, command, lost }: Shape): string {
  const refuse = (message: string, remedy: string, cause?: unknown) =>
    new GatewatchError('config_invalid', message, { cause, field: 'credentials', at: path, remedy })
  let text: string
  try {
    text = readFileSync(path, 'utf8').trim()
  } catch (cause) {
    throw refuse(
      `The file cannot be read: ${messageOf(cause)}.`,
      'Give this user the right to read it.',
      cause,
    )
  }
  if (pattern.test(text)) return text
  throw refuse(
    text === '' ? `The file is empty; it should hold ${wanted}.` : `The file does not hold ${wanted}.`,
    `Restore it from a backup, or make one: ${command} > ${path} (then ${lost}).`,
  )
}

const newestFirst = (
  first: RedactionKey,
  later: readonly RedactionKey[],
): readonly [RedactionKey, ...RedactionKey[]] => {
  const [newest, ...older] = later
  return newest === undefined ? [first] : [newest, ...older, first]
}

/** The keys that people added beside the first, newest first. @throws GatewatchError `config_invalid` for a short one */
const laterKeys = (folder: string): readonly RedactionKey[] =>
  readdirSync(folder)
    .flatMap((file) => {
      const number = /^redaction-key-([1-9]\d{0,5})$/.exec(file)?.[1]
      return number === undefined || number === '1' ? [] : [{ file, number: Number(number) }]
    })
    .sort((a, b) => b.number - a.number)
    .map(({ file, number }) => ({
      id: `k${number}`,
      secret: Buffer.from(readSecret(join(folder, file), REDACTION_KEY), 'hex'),
    }))

// Of several roles that start together on one folder, one publishes and all read the same: a link either makes the
// whole file appear or fails because it is there.
function publish(path: string, secret: string): void {
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, `${secret}\n`, { mode: 0o600 })
  try {
    linkSync(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(draft)
  }
}
