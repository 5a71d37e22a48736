import { join } from 'node:path'
import type { Command } from 'commander'
import { createDemoReceiver } from '../../../alerts/demo-receiver.ts'
import { systemClock } from '../../../core/clock.ts'
import { type Config, loadConfig } from '../../config/config.ts'
import { openCredentials } from '../../credentials.ts'
import { loadHistory, prepareDemoFolder, runLive } from '../../demo/run.ts'
import { createLastResort } from '../../last-resort.ts'
import { createLogger } from '../../logger.ts'
import { untilAskedToStop } from '../../stop-request.ts'
import { startGatewatch } from '../../wire.ts'
import { addServeOptions, numberBetween, type RunFlags } from '../options.ts'
import { createOutput } from '../output.ts'
import { announce } from './up.ts'

interface DemoFlags extends RunFlags {
  readonly seed: number
}

const MAX_SEED = 2 ** 32 - 1

export function addDemoCommand(program: Command): void {
  addServeOptions(program.command('demo'))
    .option('--seed <N>', 'another seed is another organisation’s month', numberBetween(0, MAX_SEED), 1)
    .description(
      'Start gatewatch embedded with a month of demo traffic and live traffic, in a folder of its own.',
    )
    .action(async (flags: DemoFlags) => {
      const output = createOutput({ json: flags.json ?? false })
      const given = loadConfig({ logLevel: 'warn', ...flags })
      const data = flags.data === undefined ? join(given.data, 'demo') : given.data
      prepareDemoFolder(data)
      const credentials = join(data, 'credentials')
      const { webhookSecret } = openCredentials(credentials)
      const logger = createLogger(given.logLevel)
      const note = (text: string) => output.note(text)
      const lastResort = createLastResort({ logger, note, clock: systemClock })
      const receiver = createDemoReceiver({ secret: webhookSecret, clock: systemClock })
      const receiverUrl = await receiver.listen()
      const config: Config = {
        ...given,
        data,
        credentials,
        receivers: [
          ...given.receivers,
          {
            name: 'demo-receiver',
            type: 'webhook',
            url: receiverUrl,
            secret: webhookSecret,
            minSeverity: 'low',
            allowPrivate: true,
            budget: {},
          },
        ],
      }
      const story = { seed: flags.seed, nowMs: systemClock.now() }
      const startedMs = performance.now()
      const running = await startGatewatch({
        ...{ config, logger, note, lastResort },
        receiver,
        detectFirst: true,
        beforeDetection: async (opened) => {
          const records = await loadHistory(opened, story, (done) =>
            output.progress(`demo history: ${done} calls stored …`),
          )
          output.note(
            `demo history: ${records} calls of 28 days in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`,
          )
        },
      })
      const live = new AbortController()
      const traffic = runLive(running, { ...story, clock: systemClock, signal: live.signal, note }).catch(
        (error) => lastResort.report(error),
      )
      announce(running, output)
      const { exitCode } = await untilAskedToStop({ note, broken: lastResort.broken })
      live.abort()
      await traffic
      await running.stop()
      await receiver.close()
      process.exitCode = exitCode
      lastResort.close()
    })
}
