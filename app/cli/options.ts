import { type Command, InvalidArgumentError, Option } from 'commander'
import type { ConfigFlags } from '../config.ts'

/** Options of commands that run gatewatch’s parts themselves. */
export interface RunFlags extends ConfigFlags {
  readonly json?: boolean
}

const wholeNumber = (text: string): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('It must be a whole number.')
  return value
}

const port = (text: string): number => {
  const value = wholeNumber(text)
  if (value > 65_535) throw new InvalidArgumentError('It must be at most 65535.')
  return value
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
    .option('--port <PORT>', 'port to listen on (default: 8844)', port)
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
  new Option('--limit <N>', 'at most this many').argParser(wholeNumber).default(fallback)
