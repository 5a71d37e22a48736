import type { Command } from 'commander'
import { systemClock } from '../../../core/clock.ts'
import { loadConfig } from '../../config/config.ts'
import { createLastResort } from '../../last-resort.ts'
import { createLogger } from '../../logger.ts'
import { untilAskedToStop } from '../../stop-request.ts'
import { type Running, startGatewatch } from '../../wire.ts'
import { addServeOptions, type RunFlags } from '../options.ts'
import { createOutput, type Output } from '../output.ts'

export function addUpCommand(program: Command): void {
  addServeOptions(program.command('up'))
    .description('Start gatewatch: embedded, unless --kafka and --clickhouse say otherwise.')
    .action(async (flags: RunFlags) => {
      const output = createOutput({ json: flags.json ?? false })
      const config = loadConfig(flags)
      const logger = createLogger(config.logLevel)
      const note = (text: string) => output.note(text)
      const lastResort = createLastResort({ logger, note, clock: systemClock })
      const running = await startGatewatch({ config, logger, note, lastResort })
      announce(running, output)
      const { exitCode } = await untilAskedToStop({ note, broken: lastResort.broken })
      await running.stop()
      process.exitCode = exitCode
      lastResort.close()
    })
}

/** Says where the dashboard is. The address signs a browser in once. */
export function announce({ url, api }: Running, output: Output): void {
  if (url === undefined) return
  if (api.loginPath === undefined) {
    output.json({ url })
    output.line(`gatewatch: ${url}/healthz (no dashboard: this process has not the role api)`)
    return
  }
  const login = `${url}${api.loginPath()}`
  output.json({ url, login_url: login })
  output.line(`gatewatch: ${login}`)
}
