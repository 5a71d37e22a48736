import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isoDay, weekdayOf } from '../../../detectors/utc-day.ts'
import { openEmbedded } from '../../../store/clickhouse.ts'
import type { Database } from '../../../store/database.ts'
import { EVENT_COLUMNS, eventRow } from '../../../store/event-rows.ts'
import { createFindings } from '../../../store/findings.ts'
import { startClickHouse } from '../../helpers/clickhouse-server.ts'
import { eventually, runCommand, startProcess } from '../../helpers/gatewatch.ts'
import { leasesHeld } from '../../helpers/leases-held.ts'
import { migratedData } from '../../helpers/migrated-store.ts'
import { incidents, officeEvents } from '../../scenarios/office.ts'
import { engineOver, shippedRules } from '../detectors/support.ts'

/** `gatewatch backfill` as people run it: processes of their own over a store of their own. */

const folder = mkdtempSync(join(tmpdir(), 'gatewatch-cli-backfill-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const data = join(folder, 'data')

async function inStore(work: (database: Database) => Promise<void>): Promise<void> {
  await migratedData(data)
  const database = await openEmbedded({ path: join(data, 'store') })
  try {
    await work(database)
  } finally {
    await database.close()
  }
}

// A Monday four weeks ago or more: the office has a week, and the incidents a weekday.
const daysAgo = Math.floor(Date.now() / 86_400_000) - 30
const firstDay = daysAgo - weekdayOf(daysAgo)
beforeAll(() =>
  inStore((database) =>
    database.insert({
      table: 'events',
      columns: EVENT_COLUMNS,
      rows: Buffer.from(
        [
          ...officeEvents({ seed: 7, people: 6, days: 24, firstDay, tenant: 'default' }),
          ...incidents(22, 'default', firstDay),
        ]
          .map(eventRow)
          .join('\n'),
      ),
      token: 'cli/backfill',
    }),
  ),
)

// Two days before the incidents.
const askedDay = isoDay(firstDay + 20)
const backfill = (...args: string[]) => runCommand(['backfill', ...args, '--data', data])
const ESCAPE = '\u001b'

describe('gatewatch backfill', () => {
  it('refuses what is no time or no range, says where and what to do, and asks for nothing', async () => {
    const notATime = await backfill('--from', 'yesterday-ish')
    expect(notATime).toMatchObject({ code: 2, stdout: '' })
    expect(notATime.stderr).toMatch(/--from.*2026-08-21T14:00:00Z/s)
    for (const range of [
      ['--from', '2026-10-02', '--to', '2026-10-01'],
      ['--from', '2999-01-01'],
    ]) {
      const refused = await backfill(...range)
      expect(refused).toMatchObject({ code: 2, stdout: '' })
      expect(refused.stderr).toMatch(/from: .* is not before|'--from <TIME>' argument/)
    }
    const nowhere = await runCommand(['backfill', '--data', join(folder, 'nowhere')])
    expect(nowhere).toMatchObject({ code: 1, stdout: '' })
    expect(nowhere.stderr).toContain('There is no data')
    const { stderr } = await backfill('--json')
    expect(stderr).toContain('nothing is left to judge')
  })

  it('refuses an end without a beginning', async () => {
    const { code, stdout, stderr } = await backfill('--to', askedDay)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain('--from')
    expect(stderr).toContain('Name the first day to judge again')
  })

  it('asks, waits with progress for people, and the days are judged again', async () => {
    const findingsOf = async (gatewatch: { get<T>(path: string): Promise<T> }) =>
      (
        await gatewatch.get<{ findings: { finding_id: string }[] }>('/v1/findings?from=-60d&limit=200')
      ).findings
        .map(({ finding_id: id }) => id)
        .sort()
    let found: string[] = []
    await inStore(async (database) => {
      await engineOver(database, shippedRules()).drain()
      const all = await createFindings(database).list({}, 200)
      found = all
        .filter(({ subject }) => subject >= askedDay)
        .map(({ finding_id: id }) => id)
        .sort()
    })
    expect(found.length).toBeGreaterThan(0)
    // As if nobody had judged these days: nothing but the backfill looks at them again.
    await inStore((database) => database.command('TRUNCATE TABLE finding_versions'))
    const asked = await backfill('--from', askedDay, '--no-wait', '--json')
    expect(asked.code).toBe(0)
    // With --json, a line for each rule that has something left.
    for (const line of asked.stdout.trim().split('\n').filter(Boolean))
      expect(JSON.parse(line)).toMatchObject({ rule: expect.any(String), reason: expect.any(String) })
    expect(asked.stderr).toMatch(/asked for \d{4}-\d\d-\d\d to the present\n/)
    expect(asked.stderr).toContain('waiting for a process with the role detect (npm start): 1')

    const second = await startProcess({ args: ['up'], data })
    try {
      const { code, stdout, stderr } = await backfill('--from', askedDay)
      expect(code).toBe(0)
      const lines = stderr.trim().split('\n')
      expect(lines[0]).toMatch(/^asked for \d{4}-\d\d-\d\d to the present$/)
      expect(lines.at(-1)).toBe('nothing is left to judge')
      // Piped: a line now and then, and nothing that only a terminal understands.
      for (const line of lines.slice(1, -1))
        expect(line).toMatch(/^(?:waiting for detection …|judging \d{4}-\d\d-\d\d for \d+ rules? …)$/)
      expect(stdout + stderr).not.toContain(ESCAPE)
      expect(stdout.trim().split(/\s+/)).toEqual(['rule', 'reason', 'from', 'next', 'to', 'error'])
      expect(await findingsOf(second)).toEqual(found)
      const remote = await runCommand(['backfill', '--url', second.url, '--json'], {
        env: { GATEWATCH_TOKEN: 'gw_wrong' },
      })
      expect(remote).toMatchObject({ code: 1, stdout: '' })
      expect(remote.stderr).toContain('needs a valid token')
    } finally {
      await second.stop()
    }
  })
})

describe('gatewatch backfill, with the process that has the work suspended', () => {
  it('says which process holds the work, since when it is silent, and ends with 1', async () => {
    const server = await startClickHouse()
    const owner = await startProcess({ args: ['up', '--roles', 'detect', '--clickhouse', server.url] })
    const config = join(folder, 'server.yaml')
    writeFileSync(config, `clickhouse: { url: '${server.url}' }\n`)
    try {
      await eventually(
        () => leasesHeld(owner),
        ({ shard }) => shard === 8,
      )
      const run = (...args: string[]) =>
        runCommand(['backfill', ...args, '--config', config, '--data', join(folder, 'beside')])
      const done = await run('--from', '-2d')
      expect(done.code).toBe(0)
      expect(done.stderr).not.toContain('no progress')
      process.kill(owner.pid, 'SIGSTOP')
      const { code, stdout, stderr } = await run('--from', '-2d')
      expect(code).toBe(1)
      expect(stderr).toMatch(
        new RegExp(
          `^no progress for \\d+ s: shards 0, 1, 2, 3, 4, 5, 6, 7 belong to process \\S+/${owner.pid}/\\w+, silent for \\d+ s: it is gone or suspended`,
          'm',
        ),
      )
      expect(stdout + stderr).not.toContain(ESCAPE)
    } finally {
      process.kill(owner.pid, 'SIGCONT')
      await owner.kill('SIGKILL')
      await server.stop()
    }
  })
})

describe('gatewatch backtest', () => {
  it('leaves out a rule that is refused, names it, asks the others, and ends with 1', async () => {
    const rules = join(folder, 'rules')
    mkdirSync(rules)
    writeFileSync(join(rules, 'broken.yaml'), 'id: broken\nkind: volume\nversion: [1\n')
    const config = join(folder, 'gatewatch.yaml')
    writeFileSync(config, `rules:\n  folders: ['${rules}']\n`)
    const range = ['--from', isoDay(firstDay), '--to', isoDay(firstDay + 30)]
    const all = await runCommand(['backtest', ...range, '--data', data, '--json'])
    const some = await runCommand(['backtest', ...range, '--data', data, '--json', '--config', config])
    expect([all.code, some.code]).toEqual([0, 1])
    expect(all.stdout.length).toBeGreaterThan(0)
    expect(some.stdout).toBe(all.stdout)
    expect(some.stderr).toContain('left out:')
    expect(some.stderr).toContain('broken.yaml')
  })
})
