import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { GatewatchProcess } from './gatewatch.ts'

/** How many leases of each kind a process says that it holds. */
export interface LeasesHeld {
  /** Shards of detection. */
  readonly shard: number
  /** Tasks that one process does at a time. */
  readonly task: number
}

/** Asks `/metrics`; works for every role. */
export async function leasesHeld({ url, data }: GatewatchProcess): Promise<LeasesHeld> {
  const key = (await readFile(join(data, 'credentials', 'api-key'), 'utf8')).trim()
  const reply = await fetch(new URL('/metrics', url), { headers: { authorization: `Bearer ${key}` } })
  const text = await reply.text()
  const of = (kind: string) =>
    Number(
      new RegExp(`^gatewatch_leases_held\\{kind="${kind}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? Number.NaN,
    )
  return { shard: of('shard'), task: of('task') }
}
