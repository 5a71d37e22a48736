import { type Command, InvalidArgumentError, Option } from 'commander'
import { parseTime } from '../../api/time-range.ts'
import { systemClock } from '../../core/clock.ts'
import type { ConfigFlags } from '../config/config.ts'

/** Options of commands that run gatewatch’s parts themselves. */
export interface RunFlags extends ConfigFlags {
  readonly json?: boolean
}

/** A whole number between two bounds, for options. */
export const numberBetween =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= least && value <= most) return value
    throw new InvalidArgumentError(
      most === Number.MAX_SAFE_INTEGER
        ? `It must be a whole number, at least ${least}.`
        : `It must be a whole number from ${least} to ${most}.`,
    )
  }

/** A time as the API takes it; the text itself, because it is relative to the moment of the question. */
export const time = (text: string): string => {
  if (parseTime(text, systemClock.now()) !== undefined) return text
  throw new InvalidArgumentError('Write 2026-08-21T14:00:00Z, -24h, -7d or now; a time from 1970 to 2261.')
}

const list = (text: string): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean)

/** `--config`, `--data`, `--clickhouse`, `--json`: what every command knows. */
export const addCommonOptions = (command: Command): Command =>
  command
    .option('--config <FILE>', 'configuration file (default: gatewatch.yaml, if there is one)')
    .option('--data <DIR>', 'data folder (default: .gatewatch)')
    .option('--clickhouse <URL>', 'use a ClickHouse server instead of the embedded store')
    .option('--json', 'answer in JSON on stdout; text for people goes to stderr')

/** Further: where a process listens and what it does. */
export const addServeOptions = (command: Command): Command =>
  addCommonOptions(command)
    .option('--roles <LIST>', 'what this process does: ingest,detect,api (default: all)', list)
    .option('--host <HOST>', 'address to listen on (default: 127.0.0.1)')
    .option('--port <PORT>', 'port to listen on (default: 8844)', numberBetween(0, 65_535))
    .option('--kafka <BROKERS>', 'read from Kafka: host:port,host:port', list)
    .option('--topics <LIST>', 'Kafka topics (default: mcp-audit)', list)
    .addOption(
      new Option('--log-level <LEVEL>', 'how much to log').choices(['debug', 'info', 'warn', 'error']),
    )

/** Further: ask a running gatewatch instead of the data folder. */
export const addAccessOptions = (command: Command): Command =>
  addCommonOptions(command).option(
    '--url <URL>',
    'ask the gatewatch at this address (token in GATEWATCH_TOKEN)',
  )

export const limitOption = (fallback: number): Option =>
  new Option('--limit <N>', 'at most this many')
    .argParser(numberBetween(1, Number.MAX_SAFE_INTEGER))
    .default(fallback)
