import type { Command } from 'commander'
import type { Alert } from '../../../core/alert.ts'
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

export function addAlertsCommand(program: Command): void {
  addAccessOptions(program.command('alerts'))
    .option('--status <STATUS>', 'open, acknowledged or closed')
    .option('--severity <SEVERITY>', 'info, low, medium, high or critical')
    .addOption(limitOption(50))
    .description('List alerts, newest first.')
    .action(async (flags: AlertsFlags) => {
      const output = createOutput({ json: flags.json ?? false })
      const access = await openAccess(flags)
      try {
        const { alerts } = await access.get<{ alerts: ListedAlert[] }>('/v1/alerts', {
          status: flags.status,
          severity: flags.severity,
          limit: flags.limit,
        })
        for (const alert of alerts) output.json(alert)
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
