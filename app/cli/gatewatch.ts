import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { GatewatchError, messageOf } from '../../core/errors.ts'
import { inertText } from '../../core/text.ts'
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

// What a command needs is loaded when it is asked for; without a name of one, all are there to be listed.
const COMMANDS: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  up: async () => (await import('./commands/up.ts')).addUpCommand,
  demo: async () => (await import('./commands/demo.ts')).addDemoCommand,
  ingest: async () => (await import('./commands/ingest.ts')).addIngestCommand,
  formats: async () => (await import('./commands/formats.ts')).addFormatsCommand,
  events: async () => (await import('./commands/events.ts')).addEventsCommand,
  backtest: async () => (await import('./commands/backtest.ts')).addBacktestCommand,
  rules: async () => (await import('./commands/rules.ts')).addRulesCommand,
  alerts: async () => (await import('./commands/alerts.ts')).addAlertsCommand,
  'dead-letters': async () => (await import('./commands/dead-letters.ts')).addDeadLettersCommand,
  tools: async () => (await import('./commands/tools.ts')).addToolsCommand,
  backfill: async () => (await import('./commands/backfill.ts')).addBackfillCommand,
  token: async () => (await import('./commands/token.ts')).addTokenCommand,
  doctor: async () => (await import('./commands/doctor.ts')).addDoctorCommand,
}
const asked = process.argv[2] ?? ''
const wanted = Object.hasOwn(COMMANDS, asked) ? [asked] : Object.keys(COMMANDS)
for (const name of wanted) (await COMMANDS[name]?.())?.(program)

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
