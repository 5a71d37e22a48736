import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { GatewatchError } from '../core/errors.ts'

/**
 * Secrets that gatewatch makes for itself on the first start, one file each under `<data>/credentials`, readable by
 * the owner only. They survive restarts: tokens, redaction marks and webhook signatures depend on them.
 */
export interface Credentials {
  /** 32 random bytes for the HMAC of redaction marks. */
  readonly redactionKey: Buffer
  /** 32 random bytes that sign short-lived tokens. */
  readonly tokenKey: Buffer
  /** The long-lived key of the administrator (`gw_…`). */
  readonly apiKey: string
  /** Eight hex digits that tell this data folder's own sources from those of other processes. */
  readonly instanceId: string
  /** Standard Webhooks secret (`whsec_…`) of the built-in receiver. */
  readonly webhookSecret: string
}

/**
 * Reads the secrets, making those that are missing.
 * @throws GatewatchError `config_invalid` when the folder cannot be written
 */
export function openCredentials(dataFolder: string): Credentials {
  const folder = join(dataFolder, 'credentials')
  const readOrMake = (name: string, make: () => string): string => {
    const path = join(folder, name)
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      chmodSync(folder, 0o700)
      // `wx`: of two processes that start together, one writes and both read the same.
      writeFileSync(path, `${make()}\n`, { mode: 0o600, flag: 'wx' })
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw new GatewatchError('config_invalid', `The folder ${folder} cannot be written.`, {
          cause,
          field: 'data',
          remedy: 'Choose a folder that this user may write to with --data DIR.',
        })
      }
    }
    return readFileSync(path, 'utf8').trim()
  }
  const hexKey = () => randomBytes(32).toString('hex')
  return {
    redactionKey: Buffer.from(readOrMake('redaction-key', hexKey), 'hex'),
    tokenKey: Buffer.from(readOrMake('token-key', hexKey), 'hex'),
    apiKey: readOrMake('api-key', () => `gw_${randomBytes(32).toString('base64url')}`),
    instanceId: readOrMake('instance-id', () => randomBytes(4).toString('hex')),
    webhookSecret: readOrMake('webhook-secret', () => `whsec_${randomBytes(32).toString('base64')}`),
  }
}
