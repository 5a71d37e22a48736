import { once } from 'node:events'
import type { Command } from 'commander'
import { loadConfig } from '../../config/config.ts'
import { createLogger } from '../../logger.ts'
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
      const running = await startGatewatch({ config, logger, note: (text) => output.note(text) })
      announce(running, output)
      await untilAskedToStop(output)
      await running.stop()
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

const STOP_AFTER_MS = 15_000

/** Resolves at SIGINT or SIGTERM; a second one, or a stop that takes too long, ends the process. */
export async function untilAskedToStop(output: Output): Promise<void> {
  const asked = new AbortController()
  await Promise.race([once(process, 'SIGINT', asked), once(process, 'SIGTERM', asked)])
  asked.abort()
  output.note('stopping …')
  const give = (why: string) => {
    output.note(`stopped at once: ${why}; what was acknowledged is on disk and is stored at the next start`)
    process.exit(1)
  }
  const again = () => give('asked a second time')
  process.once('SIGINT', again).once('SIGTERM', again)
  setTimeout(() => give(`it took longer than ${STOP_AFTER_MS / 1000} s`), STOP_AFTER_MS).unref()
}
