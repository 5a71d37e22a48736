import { type Command, Option } from 'commander'
import { ALERT_STATUSES, type Alert } from '../../../core/alert.ts'
import { SEVERITIES } from '../../../core/finding.ts'
import { type AccessFlags, openAccess } from '../access.ts'
import { addAccessOptions, limitOption } from '../options.ts'
import { createOutput } from '../output.ts'

interface AlertsFlags extends AccessFlags {
  readonly status?: string
  readonly severity?: string
  readonly limit: number
  readonly json?: boolean
}

interface ListedAlert extends Alert {
  readonly deliveries_summary: { readonly delivered: number; readonly due: number; readonly failed: number }
}

const PAGE = 1000

export function addAlertsCommand(program: Command): void {
  addAccessOptions(program.command('alerts'))
    .addOption(new Option('--status <STATUS>', 'only alerts of this status').choices(ALERT_STATUSES))
    .addOption(new Option('--severity <SEVERITY>', 'only alerts of this severity').choices(SEVERITIES))
    .addOption(limitOption(50))
    .description('List alerts, newest first.')
    .action(async (flags: AlertsFlags) => {
      const output = createOutput({ json: flags.json ?? false })
      const access = await openAccess(flags)
      try {
        const alerts: ListedAlert[] = []
        let cursor: string | undefined
        do {
          const page = await access.get<{ alerts: ListedAlert[]; next_cursor?: string }>('/v1/alerts', {
            status: flags.status,
            severity: flags.severity,
            limit: Math.min(PAGE, flags.limit - alerts.length),
            cursor,
          })
          for (const alert of page.alerts) output.json(alert)
          alerts.push(...page.alerts)
          cursor = page.next_cursor
        } while (cursor !== undefined && alerts.length < flags.limit)
        output.table(
          ['alert', 'status', 'severity', 'messages', 'title'],
          alerts.map(
            ({ alert_id, status, severity, title, deliveries_summary: { delivered, due, failed } }) => [
              alert_id.slice(0, 12),
              status,
              severity,
              `${delivered} sent${due ? `, ${due} due` : ''}${failed ? `, ${failed} failed` : ''}`,
              title,
            ],
          ),
        )
        if (alerts.length === 0) output.note('no alerts')
      } finally {
        await access.close()
      }
    })
}
