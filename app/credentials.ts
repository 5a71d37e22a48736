import { randomBytes } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { GatewatchError } from '../core/errors.ts'

/**
 * Secrets that gatewatch makes for itself on the first start, one file each in a folder of their own, readable by
 * the owner only. They survive restarts: tokens, redaction marks and webhook signatures depend on them.
 */
export interface Credentials {
  /** 32 random bytes for the HMAC of redaction marks. */
  readonly redactionKey: Buffer
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
      mkdirSync(folder, { recursive: true, mode: 0o700 })
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
  return {
    redactionKey: Buffer.from(readOrMake('redaction-key', hexKey), 'hex'),
    tokenKey: Buffer.from(readOrMake('token-key', hexKey), 'hex'),
    apiKey: readOrMake('api-key', () => `gw_${randomBytes(32).toString('base64url')}`),
    webhookSecret: readOrMake('webhook-secret', () => `whsec_${randomBytes(32).toString('base64')}`),
  }
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
