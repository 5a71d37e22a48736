import { validate } from 'node-cron'
import { GatewatchError } from '../../core/errors.ts'
import type { KeptDays, RetentionPolicy } from '../../store/retention.ts'
import type { PlaceOf } from './place.ts'
import type { ConfigFile } from './schema.ts'

export interface RetentionConfig {
  readonly policy: RetentionPolicy
  /** Cron expression, UTC. */
  readonly every: string
}

// At night, and not when everybody's jobs of the full hour run.
const EVERY = '0 37 3 * * *'

/**
 * How long things are kept. A tenant's own settings stand for themselves; what it leaves out is as for all.
 * @throws GatewatchError `config_invalid`: no cron expression, a tenant said twice, counts kept shorter than the events
 */
export function retentionOf(file: ConfigFile['retention'], placeOf: PlaceOf): RetentionConfig {
  const every = file?.every ?? EVERY
  if (!validate(every)) {
    throw new GatewatchError('config_invalid', 'is not a cron expression.', {
      ...placeOf('retention.every'),
      remedy: `Write six fields, such as ${EVERY}.`,
    })
  }
  const all = keptOf(file ?? {}, {}, 'retention', placeOf)
  const tenants = new Map<string, KeptDays>()
  for (const [index, own] of (file?.tenants ?? []).entries()) {
    const field = `retention.tenants.${index}`
    if (tenants.has(own.tenant)) {
      throw new GatewatchError('config_invalid', `says the tenant ${own.tenant} twice.`, {
        ...placeOf(`${field}.tenant`),
        remedy: 'Say it once.',
      })
    }
    tenants.set(own.tenant, keptOf(own, all, field, placeOf))
  }
  return { policy: { ...all, tenants }, every }
}

function keptOf(
  own: { readonly events_days?: number; readonly rollups_days?: number },
  all: KeptDays,
  field: string,
  placeOf: PlaceOf,
): KeptDays {
  const events = own.events_days ?? all.events ?? 0
  const rollups = own.rollups_days ?? all.rollups ?? 0
  if (rollups > 0 && (events === 0 || rollups < events)) {
    throw new GatewatchError(
      'config_invalid',
      'keeps counts for a shorter time than the events they count.',
      {
        ...placeOf(`${field}.rollups_days`),
        remedy: `Write ${events === 0 ? 'events_days as well' : `${events} or more, or 0 for good`}.`,
      },
    )
  }
  return { events, rollups }
}
