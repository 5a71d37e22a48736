import { statfsSync } from 'node:fs'
import { connect } from 'node:net'
import type { Command } from 'commander'
import { GatewatchError, messageOf } from '../../../core/errors.ts'
import { loadConfig } from '../../config.ts'
import { readRunFile } from '../../run-file.ts'
import { createReceivers, loadRules } from '../../wire/detect.ts'
import { openStore } from '../../wire/store.ts'
import { addCommonOptions, type RunFlags } from '../options.ts'
import { createOutput } from '../output.ts'

interface Check {
  readonly name: string
  readonly run: () => Promise<string> | string
}

const MIN_FREE_BYTES = 1024 ** 3
const CONNECT_MS = 3000

export function addDoctorCommand(program: Command): void {
  addCommonOptions(program.command('doctor'))
    .description('Check configuration, store, broker, receivers, rules and disk; say what to do.')
    .action(async (flags: RunFlags) => {
      const output = createOutput({ json: flags.json ?? false })
      const config = loadConfig(flags)
      const checks: Check[] = [
        { name: 'configuration', run: () => `roles ${config.roles.join(', ')}; data in ${config.data}` },
        { name: 'rules', run: () => checkRules(config.rules) },
        {
          name: 'receivers',
          run: () =>
            `${createReceivers(config.receivers, config.listen.publicUrl).notifiers.length} configured`,
        },
        { name: 'store', run: () => checkStore(config) },
        ...(config.kafka?.brokers ?? []).map((broker) => ({
          name: `broker ${broker}`,
          run: () => reach(broker),
        })),
      ]
      for (const { name, run } of checks) {
        try {
          const detail = await run()
          output.json({ check: name, ok: true, detail })
          output.line(`ok    ${name}: ${detail}`)
        } catch (error) {
          const detail = error instanceof GatewatchError ? error.toLine() : messageOf(error)
          output.json({ check: name, ok: false, detail })
          output.line(`FAIL  ${name}: ${detail}`)
          process.exitCode = 1
        }
      }
    })
}

function checkRules(config: Parameters<typeof loadRules>[0]): string {
  const { rules, errors } = loadRules(config)
  if (errors[0]) throw errors[0]
  return `${rules.length} rules`
}

async function checkStore(config: ReturnType<typeof loadConfig>): Promise<string> {
  const served = readRunFile(config.data)
  if (served !== undefined) return `in use by process ${served.pid} at ${served.url}`
  const database = await openStore(config, () => {})
  try {
    const [row] = await database.query<{ events: number }>('SELECT toUInt64(sum(sign)) AS events FROM events')
    const { bavail, bsize } = statfsSync(config.data)
    if (!config.clickhouse && bavail * bsize < MIN_FREE_BYTES) {
      throw new GatewatchError('store_unavailable', 'There is less than 1 GB of free space.', {
        field: 'data',
        remedy: 'Free some, or move the data folder.',
      })
    }
    return `${database.kind}, ${row?.events ?? 0} events`
  } finally {
    await database.close()
  }
}

function reach(broker: string): Promise<string> {
  const [host = '', port = ''] = broker.split(':')
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), timeout: CONNECT_MS })
    const fail = (reason: string) => {
      socket.destroy()
      reject(
        new GatewatchError('broker_unavailable', `${reason}.`, {
          field: 'kafka.brokers',
          remedy: 'Check the address and that the broker runs.',
        }),
      )
    }
    socket.once('connect', () => {
      socket.destroy()
      resolve('reachable')
    })
    socket.once('timeout', () => fail('No answer'))
    socket.once('error', (error) => fail(error.message))
  })
}
