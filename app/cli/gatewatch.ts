import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { GatewatchError, messageOf } from '../../core/errors.ts'
import { inertText } from '../../core/text.ts'
import { addAlertsCommand } from './commands/alerts.ts'
import { addBackfillCommand } from './commands/backfill.ts'
import { addBacktestCommand } from './commands/backtest.ts'
import { addDeadLettersCommand } from './commands/dead-letters.ts'
import { addDemoCommand } from './commands/demo.ts'
import { addDoctorCommand } from './commands/doctor.ts'
import { addEventsCommand } from './commands/events.ts'
import { addFormatsCommand } from './commands/formats.ts'
import { addIngestCommand } from './commands/ingest.ts'
import { addRulesCommand } from './commands/rules.ts'
import { addTokenCommand } from './commands/token.ts'
import { addToolsCommand } from './commands/tools.ts'
import { addUpCommand } from './commands/up.ts'
import { endWithParent } from './parent-watch.ts'
import { detachStandardInput } from './standard-input.ts'

/** Exit codes: 0 done, 1 it failed, 2 the command line or the configuration is wrong. */
const EXIT_FAILED = 1
const EXIT_USAGE = 2
const MAX_ERROR = 20_000

const program = new Command('gatewatch')
  .description('Watches what AI agents do through MCP gateways.')
  .version(
    versionOf(
      new URL('../../package.json', import.meta.url),
      new URL('../../../package.json', import.meta.url),
    ),
  )
  .showHelpAfterError('(gatewatch --help shows the commands)')
  .configureOutput({ outputError: (text, write) => write(inertLines(text)) })
  .exitOverride()

addUpCommand(program)
addDemoCommand(program)
addIngestCommand(program)
addFormatsCommand(program)
addEventsCommand(program)
addBacktestCommand(program)
addRulesCommand(program)
addAlertsCommand(program)
addDeadLettersCommand(program)
addToolsCommand(program)
addBackfillCommand(program)
addTokenCommand(program)
addDoctorCommand(program)

// A reader that stops reading (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

detachStandardInput()

endWithParent()

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = report(error)
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE
  if (!(error instanceof GatewatchError)) {
    process.stderr.write(
      `gatewatch: ${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}\n`,
    )
    return EXIT_FAILED
  }
  process.stderr.write(`gatewatch: ${inertText(error.toLine(), MAX_ERROR)}\n`)
  return ['config_invalid', 'rule_invalid', 'request_invalid', 'filter_syntax'].includes(error.code)
    ? EXIT_USAGE
    : EXIT_FAILED
}

// What was typed is in it; the one line end that is commander’s own comes before its suggestion.
function inertLines(text: string): string {
  const [, said = text, suggestion] = /^(.*?)(?:\n(\(Did you mean [^()\n]*\)))?\n$/s.exec(text) ?? []
  return `${[said, suggestion].flatMap((line) => (line === undefined ? [] : [inertText(line, MAX_ERROR)])).join('\n')}\n`
}

// In the clone the manifest is two folders up, in the packed program three.
function versionOf(...manifests: readonly URL[]): string {
  for (const manifest of manifests) {
    try {
      const { name, version } = JSON.parse(readFileSync(manifest, 'utf8')) as {
        name?: string
        version: string
      }
      if (name === 'gatewatch') return version
    } catch {
      // not here
    }
  }
  return 'unknown'
}
