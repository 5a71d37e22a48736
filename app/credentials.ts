import { randomBytes } from 'node:crypto'
import { existsSync, linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { GatewatchError } from '../core/errors.ts'
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

/**
 * Reads the secrets, making those that are missing.
 * @throws GatewatchError `config_invalid` when the folder cannot be written
 */
export function openCredentials(folder: string): Credentials {
  const readOrMake = (name: string, make: () => string): string => {
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
    return readFileSync(path, 'utf8').trim()
  }
  const hexKey = () => randomBytes(32).toString('hex')
  const redactionKey = Buffer.from(readOrMake('redaction-key', hexKey), 'hex')
  return {
    redactionKey,
    redactionKeys: newestFirst({ id: 'k1', secret: redactionKey }, laterKeys(folder)),
    fingerprintKey: Buffer.from(readOrMake('fingerprint-key', hexKey), 'hex'),
    tokenKey: Buffer.from(readOrMake('token-key', hexKey), 'hex'),
    apiKey: readOrMake('api-key', () => `gw_${randomBytes(32).toString('base64url')}`),
    webhookSecret: readOrMake('webhook-secret', () => `whsec_${randomBytes(32).toString('base64')}`),
  }
}

const newestFirst = (
  first: RedactionKey,
  later: readonly RedactionKey[],
): readonly [RedactionKey, ...RedactionKey[]] => {
  const [newest, ...older] = later
  return newest === undefined ? [first] : [newest, ...older, first]
}

/** The keys that people added beside the first, newest first. @throws GatewatchError `config_invalid` for a short one */
function laterKeys(folder: string): readonly RedactionKey[] {
  return readdirSync(folder)
    .flatMap((file) => {
      const number = /^redaction-key-([1-9]\d{0,5})$/.exec(file)?.[1]
      return number === undefined || number === '1' ? [] : [{ file, number: Number(number) }]
    })
    .sort((a, b) => b.number - a.number)
    .map(({ file, number }) => {
      const text = readFileSync(join(folder, file), 'utf8').trim()
      if (!/^(?:[0-9a-f]{2}){32,}$/i.test(text)) {
        throw new GatewatchError('config_invalid', 'The file does not hold 64 hexadecimal digits or more.', {
          field: 'credentials',
          at: join(folder, file),
          remedy: `Make one: openssl rand -hex 32 > ${join(folder, file)}`,
        })
      }
      return { id: `k${number}`, secret: Buffer.from(text, 'hex') }
    })
}

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
