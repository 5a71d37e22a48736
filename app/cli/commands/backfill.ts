import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { GatewatchError } from '../../../core/errors.ts'
import { type Access, type AccessFlags, openAccess } from '../access.ts'
import { addAccessOptions, time } from '../options.ts'
import { createOutput, type Output } from '../output.ts'
import { type Standing, standingText } from '../standing-text.ts'

interface BackfillFlags extends AccessFlags {
  readonly from?: string
  readonly to?: string
  readonly wait?: boolean
  readonly json?: boolean
}

interface Left {
  readonly rule: string
  readonly reason: string
  readonly from: string
  readonly at: string
  readonly to?: string
  readonly attempts: number
  readonly error?: string
}

interface Answer extends Standing {
  readonly waiting: number
  readonly backfills: readonly Left[]
}

const LOOK_MS = 1_000

export function addBackfillCommand(program: Command): void {
  addAccessOptions(program.command('backfill'))
    .option(
      '--from <TIME>',
      'first day to judge again: ISO 8601, or relative (-28d); without it, only show',
      time,
    )
    .option('--to <TIME>', 'last day, inclusive (default: to the present, with baselines built again)', time)
    .option('--no-wait', 'do not wait until it is done')
    .description('Have days of the past judged again by detection; show what it has left to judge.')
    .action(async (flags: BackfillFlags) => {
      const output = createOutput({ json: flags.json ?? false })
      if (flags.to !== undefined && flags.from === undefined) {
        throw new GatewatchError(
          'request_invalid',
          '--to says where days end, and nothing where they begin.',
          {
            field: '--from',
            remedy: 'Name the first day to judge again as --from too, or leave --to out to see what is left.',
          },
        )
      }
      const access = await openAccess(flags)
      try {
        if (flags.from !== undefined) {
          const body = { from: flags.from, ...(flags.to === undefined ? {} : { to: flags.to }) }
          const taken = await access.post<{ from: string; to?: string }>('/v1/backfills', body)
          output.note(`asked for ${taken.from} to ${taken.to ?? 'the present'}`)
        }
        const wait = flags.from !== undefined && flags.wait !== false
        const left = await watch(access, output, wait)
        for (const one of left.backfills) output.json(one)
        output.table(
          ['rule', 'reason', 'from', 'next', 'to', 'error'],
          left.backfills.map(({ rule, reason, from, at, to, error }) => [
            ...[rule, reason, from, at],
            ...[to ?? 'present', error ?? ''],
          ]),
        )
        if (left.waiting > 0) {
          output.note(`waiting for a process with the role detect (npm start): ${left.waiting}`)
          if (wait) process.exitCode = 1
        } else if (left.backfills.length === 0) output.note('nothing is left to judge')
      } finally {
        await access.close()
      }
    })
}

/** Looks until nothing that was asked for is left, as long as somebody works on it; says so when nothing moves. */
async function watch(access: Access, output: Output, wait: boolean): Promise<Answer> {
  let unanswered = 0
  let before = ''
  let movedMs = performance.now()
  let saidMs = movedMs
  for (;;) {
    const answer = await access.get<Answer>('/v1/backfills')
    const asked = answer.backfills.filter(({ reason, attempts }) => reason === 'requested' && attempts === 0)
    unanswered = answer.waiting > 0 ? unanswered + 1 : 0
    if (!wait || (answer.waiting === 0 && asked.length === 0) || unanswered > MOST_UNANSWERED) {
      output.endProgress()
      return answer
    }
    const now = JSON.stringify([answer.waiting, asked])
    const nowMs = performance.now()
    if (now !== before) [before, movedMs, saidMs] = [now, nowMs, nowMs]
    if (nowMs - saidMs >= STANDS_MS) {
      saidMs = nowMs
      output.note(standingText(answer, Math.round((nowMs - movedMs) / 1000)))
    }
    const next = asked.map(({ at }) => at).sort()[0]
    output.progress(
      next === undefined
        ? 'waiting for detection …'
        : `judging ${next} for ${asked.length} ${asked.length === 1 ? 'rule' : 'rules'} …`,
    )
    await sleep(LOOK_MS)
  }
}

/** A running detection takes a request up within seconds; after so many looks, none runs. */
const MOST_UNANSWERED = 30

/** When nothing has moved for so long, people are told who has the work; again each time that it lasts as long. */
const STANDS_MS = 15_000
