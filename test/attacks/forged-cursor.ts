import type { Attack, AttackResult } from './attack.ts'

const encoded = (key: unknown) => Buffer.from(JSON.stringify(key)).toString('base64url')
const HASH = 'A'.repeat(32)
const good = encoded(['2026-11-30T00:00:00.000000Z', HASH])

/** Keys of every route's shape that no row can have, and cursors that were changed on their way. */
const FORGED = [
  encoded(['2026-99-99T99:99:99.999999Z', HASH]),
  encoded(['2026-02-30T00:00:00.000000Z', 'a']),
  encoded(['0000-00-00T00:00:00.000000Z', HASH]),
  encoded(['9999-12-31T23:59:59.999999Z', HASH]),
  encoded(['2026-99-99 99:99:99.999', '2026-99-99 99:99:99', 'alert']),
  encoded(['2026-13-01 00:00:00.000', '2026-01-01 00:00:00', 'alert']),
  encoded(["2026-11-30T00:00:00.000000Z') OR 1=1 --", HASH]),
  encoded([0, 1]),
  encoded([]),
  encoded({ length: 2 }),
  encoded(null),
  encoded(Array.from({ length: 40 }, () => 'x')),
  `${good.slice(0, -1)}!`,
  `${good}.`,
  good.slice(0, 20),
  '%00',
  'x',
  'A'.repeat(1000),
]

export const attack: Attack = {
  name: 'A forged or damaged cursor makes a route fail, or lists what no page before gave out',
  kind: 'forged cursor',
  section: 3,
  async run({ shared }): Promise<AttackResult> {
    const target = await shared()
    const paths = [
      '/v1/events?',
      '/v1/chains?key=session:none&',
      '/v1/access-log?',
      '/v1/alerts?',
      '/v1/findings?',
      '/v1/dead-letters?',
    ]
    const wrong: string[] = []
    const judge = async (what: string, answer: Response) => {
      const said = (await answer.json()) as { code?: string; field?: string }
      if (answer.status !== 400 || said.code !== 'request_invalid' || said.field !== 'cursor')
        wrong.push(`${what}: ${answer.status} ${said.code ?? ''} ${said.field ?? ''}`)
    }
    for (const cursor of FORGED) {
      for (const path of paths)
        await judge(path, await target.ask(`${path}cursor=${encodeURIComponent(cursor)}`))
      const body = JSON.stringify({ all: true, cursor })
      const replayed = await target.post('/v1/dead-letters/replay', body, {
        'content-type': 'application/json',
      })
      await judge('/v1/dead-letters/replay', replayed)
    }
    return {
      succeeded: wrong.length > 0,
      detail: `${wrong.length} of ${FORGED.length * (paths.length + 1)} were not refused as they should be: ${wrong[0] ?? ''}`,
    }
  },
}
