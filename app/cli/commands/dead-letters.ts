import type { Command } from 'commander'
import { type AccessFlags, openAccess } from '../access.ts'
import { addAccessOptions, limitOption } from '../options.ts'
import { createOutput } from '../output.ts'

interface DeadLettersFlags extends AccessFlags {
  readonly reason?: string
  readonly limit: number
  readonly json?: boolean
}

interface ListedDeadLetter {
  readonly recorded_at: string
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly record_index: number
  readonly reason: string
  readonly field?: string
  readonly message: string
}

export function addDeadLettersCommand(program: Command): void {
  addAccessOptions(program.command('dead-letters'))
    .option('--reason <REASON>', 'only this reason, such as record_not_json')
    .addOption(limitOption(50))
    .description('Records that could not become events, newest first, each with its reason.')
    .action(async (flags: DeadLettersFlags) => {
      const output = createOutput({ json: flags.json ?? false })
      const access = await openAccess(flags)
      try {
        const { dead_letters: letters, counts } = await access.get<{
          dead_letters: ListedDeadLetter[]
          counts: Record<string, number>
        }>('/v1/dead-letters', { reason: flags.reason, limit: flags.limit })
        for (const letter of letters) output.json(letter)
        output.table(
          ['recorded', 'source', 'reason', 'message'],
          letters.map(({ recorded_at, topic, partition, offset, record_index, reason, message }) => [
            recorded_at,
            `${topic}/${partition}/${offset}${record_index > 0 ? `#${record_index}` : ''}`,
            reason,
            message,
          ]),
        )
        const total = Object.entries(counts).map(([reason, count]) => `${count} ${reason}`)
        output.note(total.length === 0 ? 'no dead letters' : `in all: ${total.join(', ')}`)
      } finally {
        await access.close()
      }
    })
}
