import type { Command } from 'commander'
import type { AuditEvent } from '../../../core/audit-event.ts'
import { type AccessFlags, openAccess } from '../access.ts'
import { addAccessOptions, limitOption, time } from '../options.ts'
import { createOutput } from '../output.ts'

interface EventsFlags extends AccessFlags {
  readonly from: string
  readonly to: string
  readonly limit: number
  readonly accessLog?: boolean
  readonly json?: boolean
}

const PAGE = 1000

export function addEventsCommand(program: Command): void {
  addAccessOptions(program.command('events'))
    .argument('[filter]', "for example: 'tool:vault/* -outcome:success'")
    .option('--from <TIME>', 'ISO 8601, or relative: -24h, -7d', time, '-24h')
    .option('--to <TIME>', 'ISO 8601, or relative', time, 'now')
    .option('--access-log', 'who read, changed, signed in and was refused, instead of what agents did')
    .addOption(limitOption(50))
    .description('Search events, newest first.')
    .action(async (filter: string | undefined, flags: EventsFlags) => {
      const output = createOutput({ json: flags.json ?? false })
      const path = flags.accessLog ? '/v1/access-log' : '/v1/events'
      const access = await openAccess(flags)
      try {
        const found: AuditEvent[] = []
        let cursor: string | undefined
        do {
          const page = await access.get<{ events: AuditEvent[]; next_cursor?: string }>(path, {
            from: flags.from,
            to: flags.to,
            q: filter,
            limit: Math.min(PAGE, flags.limit - found.length),
            cursor,
          })
          for (const event of page.events) output.json(event)
          found.push(...page.events)
          cursor = page.next_cursor
        } while (cursor !== undefined && found.length < flags.limit)
        output.table(
          ['time', 'actor', 'server', 'tool', 'outcome', 'ms'],
          found.map((event) => [
            event.occurred_at,
            event.actor,
            event['mcp.server.name'],
            event['gen_ai.tool.name'] ?? event['mcp.method.name'],
            event.outcome,
            event.duration_ms,
          ]),
        )
        if (found.length === 0) output.note('no events in this range')
      } finally {
        await access.close()
      }
    })
}
