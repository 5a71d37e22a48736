import { readFileSync } from 'node:fs'
import { looksLikeApiKey } from '../../api/credentials/api-keys.ts'
import { GatewatchError, messageOf } from '../../core/errors.ts'
import type { SettingPlace } from './place.ts'

/** What the operating system says, without the name of its call. */
export const reasonOf = (cause: unknown): string =>
  /^[A-Z]+: ([^,]+)/.exec(messageOf(cause))?.[1] ?? messageOf(cause)

/** @throws GatewatchError `config_invalid` at the place that names the file */
export function readSecret(path: string, place: SettingPlace): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (cause) {
    throw new GatewatchError('config_invalid', `The file ${path} cannot be read: ${reasonOf(cause)}.`, {
      cause,
      ...place,
      remedy: 'Create it with mode 0600, or correct the path.',
    })
  }
}

/** @throws GatewatchError `config_invalid`, also when the file holds something else */
export function readApiKey(path: string, place: SettingPlace): string {
  const key = readSecret(path, place)
  if (looksLikeApiKey(key)) return key
  throw new GatewatchError('config_invalid', `The file ${path} does not hold an API key.`, {
    ...place,
    remedy: `Make one: echo "gw_$(openssl rand -base64 32 | tr '+/' '-_' | tr -d '=')" > ${path}`,
  })
}
